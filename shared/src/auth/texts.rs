//! The built-in texts of codes and notices in each language. `docs/texts.md` shows all of them, and a test compares it.
//!
//! Each begins with the code and fits one SMS segment with an app's name of 20 characters: 160 characters where all of them are in GSM 03.38, else
//! 70. So the languages of Latin script avoid the letters that GSM 03.38 lacks (it has é, è and ñ, but no ó, ç or ł), and the others are brief.
//!
//! Arabic has no control characters for its direction, which would cost two characters for each name and number. Instead, its first letter is
//! Arabic, which turns the whole line from right to left with the code at its start, and an Arabic word stands between the app's name, which may
//! be Latin, and the next number.

use crate::language::Language;

/// The texts of a language. `{app}` stands for the app's name.
#[derive(Debug)]
pub(super) struct Texts {
    /// The text of a code: `{code}`, `{aim}` and `{life}`.
    pub code: &'static str,
    /// What a code is for, in the order of the flows.
    pub aims: [&'static str; 5],
    /// A life of `{n}` minutes.
    pub minutes: &'static str,
    /// A life of less than a minute.
    pub under_a_minute: &'static str,
    /// The password has been changed.
    pub password_changed: &'static str,
    /// The phone has been changed.
    pub phone_changed: &'static str,
}

impl Texts {
    /// The texts in this language.
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Spanish => &SPANISH,
            Language::French => &FRENCH,
            Language::German => &GERMAN,
            Language::Portuguese => &PORTUGUESE,
            Language::Italian => &ITALIAN,
            Language::Polish => &POLISH,
            Language::Ukrainian => &UKRAINIAN,
            Language::Arabic => &ARABIC,
            Language::Hindi => &HINDI,
            Language::Chinese => &CHINESE,
            Language::Japanese => &JAPANESE,
        }
    }
}

const ENGLISH: Texts = Texts {
    code: "{code} is your {app} code to {aim}. Valid {life}. Do not share it.",
    aims: ["sign up", "log in", "confirm login", "change phone", "set password"],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app}: your password has been changed. If this was not you, contact us at once.",
    phone_changed: "{app}: your phone has been changed. If this was not you, contact us at once.",
};

const SPANISH: Texts = Texts {
    code: "{code} es tu clave de {app} para {aim}. Vence en {life}. No la compartas.",
    aims: ["registrarte", "entrar", "confirmar el acceso", "cambiar de teléfono", "una nueva contraseña"],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app}: se ha cambiado tu contraseña. Si no reconoces este cambio, avisa de inmediato.",
    phone_changed: "{app}: se ha cambiado tu teléfono. Si no reconoces este cambio, avisa de inmediato.",
};

const FRENCH: Texts = Texts {
    code: "{code} est votre code {app} pour {aim}. Valable {life}. Ne le partagez pas.",
    aims: ["vous inscrire", "vous connecter", "confirmer la connexion", "changer de numéro", "un nouveau mot de passe"],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app} : votre mot de passe a été modifié. Si ce n'est pas vous, contactez-nous sans attendre.",
    phone_changed: "{app} : votre numéro de téléphone a été modifié. Si ce n'est pas vous, contactez-nous sans attendre.",
};

const GERMAN: Texts = Texts {
    code: "{code} ist Ihr Code von {app} {aim}. {life} gültig. Bitte nicht weitergeben.",
    aims: [
        "zur Registrierung",
        "zur Anmeldung",
        "zur Bestätigung der Anmeldung",
        "für die neue Nummer",
        "für ein neues Passwort",
    ],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app}: Ihr Passwort wurde geändert. Waren Sie das nicht, melden Sie sich sofort bei uns.",
    phone_changed: "{app}: Ihre Telefonnummer wurde geändert. Waren Sie das nicht, melden Sie sich sofort bei uns.",
};

const PORTUGUESE: Texts = Texts {
    code: "{code} é o seu PIN {app} para {aim}. Expira em {life}. Nunca o compartilhe.",
    aims: ["criar a conta", "entrar", "confirmar o acesso", "mudar de telefone", "uma nova senha"],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app}: a sua senha foi alterada. Se foi outra pessoa, avise-nos imediatamente.",
    phone_changed: "{app}: o seu telefone foi alterado. Se foi outra pessoa, avise-nos imediatamente.",
};

const ITALIAN: Texts = Texts {
    code: "{code} è il tuo codice {app} per {aim}. Valido {life}. Non condividerlo.",
    aims: ["registrarti", "accedere", "confermare l'accesso", "cambiare numero", "una nuova password"],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app}: la tua password è stata cambiata. Se non l'hai fatto tu, contattaci subito.",
    phone_changed: "{app}: il tuo numero è stato cambiato. Se non l'hai fatto tu, contattaci subito.",
};

const POLISH: Texts = Texts {
    code: "{code} to kod {app} {aim}. Wygasa za {life}. Nie podawaj go nikomu.",
    aims: [
        "do rejestracji",
        "do logowania",
        "do potwierdzenia logowania",
        "do zmiany telefonu",
        // The word for a password needs a letter that GSM 03.38 lacks.
        "do odzyskania konta",
    ],
    minutes: "{n} min",
    under_a_minute: "<1 min",
    password_changed: "{app}: zmieniono hasło. Nie Ty? Napisz do nas od razu.",
    phone_changed: "{app}: zmieniono numer telefonu. Nie Ty? Napisz do nas od razu.",
};

const UKRAINIAN: Texts = Texts {
    code: "{code} код {app}: {aim}, {life}. Не діліться.",
    aims: ["реєстрація", "вхід", "підтв. входу", "новий номер", "новий пароль"],
    minutes: "{n} хв",
    under_a_minute: "<1 хв",
    password_changed: "{app}: пароль змінено. Це не ви? Негайно напишіть нам.",
    phone_changed: "{app}: номер змінено. Це не ви? Негайно напишіть нам.",
};

const ARABIC: Texts = Texts {
    code: "{code} رمز {app} {aim} خلال {life}. لا تشاركه.",
    aims: ["للتسجيل", "للدخول", "للتأكيد", "لتغيير الرقم", "لكلمة المرور"],
    minutes: "{n} د",
    under_a_minute: "ثوان",
    password_changed: "تم تغيير كلمة مرورك في {app}. لست أنت؟ راسلنا فورا.",
    phone_changed: "تم تغيير رقم هاتفك في {app}. لست أنت؟ راسلنا فورا.",
};

const HINDI: Texts = Texts {
    code: "{code} {app} कोड: {aim}, {life}. साझा न करें।",
    aims: ["साइन अप", "लॉगिन", "लॉगिन पुष्टि", "नया नंबर", "नया पासवर्ड"],
    minutes: "{n} मि",
    under_a_minute: "<1 मि",
    password_changed: "{app}: पासवर्ड बदला गया। आपने नहीं किया? संपर्क करें।",
    phone_changed: "{app}: फ़ोन नंबर बदला गया। आपने नहीं किया? संपर्क करें।",
};

const CHINESE: Texts = Texts {
    code: "{code} 是您的{app}{aim}验证码，{life}，请勿告知他人。",
    aims: ["注册", "登录", "登录确认", "更换手机号", "重置密码"],
    minutes: "{n}分钟内有效",
    under_a_minute: "即将过期",
    password_changed: "{app}：您的密码已更改。如非本人操作，请立即联系我们。",
    phone_changed: "{app}：您的手机号已更改。如非本人操作，请立即联系我们。",
};

const JAPANESE: Texts = Texts {
    code: "{code} は{app}の{aim}コードです。{life}。他人に教えないでください。",
    aims: ["登録", "ログイン", "ログイン確認", "電話番号変更", "パスワード再設定"],
    minutes: "{n}分間有効",
    under_a_minute: "まもなく失効",
    password_changed: "{app}：パスワードが変更されました。心当たりがない場合は至急ご連絡ください。",
    phone_changed: "{app}：電話番号が変更されました。心当たりがない場合は至急ご連絡ください。",
};

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::time::Duration;

    use strum::VariantArray as _;

    use super::super::notice;
    use super::super::otp_message::otp_message;
    use super::super::otp_message::tests::settings;
    use super::*;
    use crate::config::{MAX_APP_NAME_LENGTH, Purpose};
    use crate::flow::Flow;
    use crate::messaging::sms_encoding::{gsm_length, segments};

    fn code(flow: Flow, language: Language, seconds: u64) -> String {
        otp_message(&settings(&[]), (flow, language), "012345", Duration::from_secs(seconds))
    }

    /// All texts of a language, with what each is for.
    fn all(language: Language) -> [(&'static str, String); 8] {
        [
            ("registration", code(Flow::Register, language, 300)),
            ("login", code(Flow::Login, language, 300)),
            ("login, in its last minute", code(Flow::Login, language, 59)),
            ("login with a password", code(Flow::SecondFactor, language, 300)),
            ("change of phone", code(Flow::ChangePhone, language, 300)),
            ("reset of a password", code(Flow::ResetPassword, language, 300)),
            ("notice: password", notice::text(&settings(&[]), Purpose::PasswordChanged, language)),
            ("notice: phone", notice::text(&settings(&[]), Purpose::PhoneChanged, language)),
        ]
    }

    /// The document's tables.
    fn tables() -> String {
        let mut tables = String::new();
        for language in Language::VARIANTS {
            write!(
                tables,
                "\n### {language:?} (`{}`)\n\n| For | Characters | Text |\n|---|---|---|\n",
                language.code()
            )
            .unwrap();
            for (purpose, text) in all(*language) {
                let size = match gsm_length(&text) {
                    Some(characters) => format!("{characters} of 160"),
                    None => format!("{} of 70", text.encode_utf16().count()),
                };
                writeln!(tables, "| {purpose} | {size} | {text} |").unwrap();
            }
        }
        tables
    }

    #[test]
    fn the_document_shows_every_text() {
        let document = include_str!("../../../docs/texts.md");
        let tables = tables();
        let shown = document.find("\n### ").map_or("", |start| &document[start..]);
        assert!(shown == tables, "docs/texts.md should end in:\n{tables}");
    }

    #[test]
    fn a_notice_with_the_longest_name_is_one_segment() {
        let settings = settings(&[("APP_NAME", &"A".repeat(MAX_APP_NAME_LENGTH))]);
        for language in Language::VARIANTS {
            for notice in [Purpose::PasswordChanged, Purpose::PhoneChanged] {
                let text = notice::text(&settings, notice, *language);
                assert_eq!(segments(&text), 1, "{} characters: {text}", text.encode_utf16().count());
            }
        }
    }

    /// The rules by which phones order text (Unicode's annex 9): the first letter decides the line's direction, and a number that follows a
    /// Latin letter takes that letter's.
    #[test]
    fn an_arabic_line_runs_from_right_to_left_with_its_numbers_in_place() {
        for (_, text) in all(Language::Arabic) {
            let letters = || text.chars().filter(|character| character.is_alphanumeric());
            let first = letters().find(|character| character.is_alphabetic());
            assert!(first.is_some_and(|letter| !letter.is_ascii()), "{text}");
            let is_latin_before =
                |(before, number): (char, char)| before.is_ascii_alphabetic() && number.is_ascii_digit();
            assert!(!letters().zip(letters().skip(1)).any(is_latin_before), "{text}");
            assert!(!text.contains('<'), "which phones mirror: {text}");
        }
    }
}
