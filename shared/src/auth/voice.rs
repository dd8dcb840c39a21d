//! What a call says: the code, digit by digit and slowly, twice. `docs/voice.md` shows all texts, and a test compares it.
//!
//! Plivo asks for it when somebody has answered, at an address that holds the send's id. The first call that asks is bound to the send, and no other
//! is told anything.
//!
//! Plivo's `<Speak>` takes SSML where the voice is one of Amazon Polly's. Polly has none for Ukrainian, so these calls are in English.

use super::AuthError;
use super::challenge;
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::clock::Timestamp;
use crate::config::{Purpose, Settings};
use crate::flow::Flow;
use crate::language::Language;
use crate::plivo::xml_escaped;
use crate::store::{Challenge, DeliveryState, Part, PhoneRecord, SendId};

/// The answer that ends a call without a word.
pub const HANG_UP: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>"#;

/// The most characters of a text, with the longest name and a code of ten digits: read twice, they take less than a call lasts.
pub(super) const MAX_TEXT_LENGTH: usize = 150;

/// What calls say in a language.
struct Spoken {
    /// Plivo's code of the language.
    locale: &'static str,
    /// Polly's voice.
    voice: &'static str,
    /// The text: `{app}`, `{aim}` and `{code}`.
    text: &'static str,
    /// What a code is for, in the order of the flows.
    aims: [&'static str; 5],
}

/// The place of a call's reports: it is answered, then it ends.
const ANSWERED: u32 = 1;
const ENDED: u32 = 2;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// Somebody has answered it.
    Completed,
    /// Nobody has: the line was busy, or it rang in vain.
    NotAnswered,
    /// It did not come to the phone.
    Failed,
}

/// What to say to the call that was answered; `None` where it is to be hung up: an id of no call, one that belongs to another call, a code that has
/// expired or been used. `call`: Plivo's id of it.
///
/// # Errors
/// Storage, or the keys.
pub async fn answer(app: &App, send: SendId, call: &str) -> Result<Option<String>, AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    let id = send.text();
    let answered = report(call, DeliveryState::Sent, ANSWERED, None, now);
    let bound = app.store.phones.bind_call(send.open(&keys), &id, &answered).await?;
    let Some((flow, language, challenge)) = bound.as_ref().and_then(|record| call_of(record, &id, now)) else {
        return Ok(None);
    };
    let code = challenge.code.as_deref().map(|sealed| keys.open_code(sealed, &challenge.id)).transpose()?;
    Ok(code.map(|code| speech(&app.settings, (flow, language), code.expose_secret())))
}

/// What a bound call is about, if its code is still good.
fn call_of<'a>(record: &'a PhoneRecord, id: &str, now: Timestamp) -> Option<(Flow, Language, &'a Challenge)> {
    let send = record.sends.get(id)?;
    let call = send.call.as_ref()?;
    let mut challenges = record.challenges.values();
    let challenge =
        challenges.find(|challenge| challenge.id == call.challenge && challenge::is_live(challenge, now))?;
    Some((send.flow, Language::of_tag(&call.language).unwrap_or_default(), challenge))
}

/// Records how a call ended. One that somebody answered, and that has not asked what to say, has told nobody anything. `cause`: Plivo's code.
///
/// # Errors
/// Storage, or the keys.
pub async fn hang_up(
    app: &App,
    send: SendId,
    call: &str,
    end: CallEnd,
    cause: Option<String>,
) -> Result<(), AuthError> {
    let now = app.clock.now();
    let phone = send.open(&*app.secrets.keys(now).await?);
    let (phones, id) = (&app.store.phones, send.text());
    let end_as = async |state: DeliveryState, was_said| {
        let cause = cause.clone().filter(|_| state.is_failure());
        phones.end_call(phone, &id, &report(call, state, ENDED, cause, now), was_said).await
    };
    match end {
        CallEnd::Completed if end_as(DeliveryState::Delivered, true).await? => {}
        CallEnd::Completed | CallEnd::NotAnswered => drop(end_as(DeliveryState::Undelivered, false).await?),
        CallEnd::Failed => drop(end_as(DeliveryState::Failed, false).await?),
    }
    Ok(())
}

fn report(call: &str, state: DeliveryState, sequence: u32, error: Option<String>, at: Timestamp) -> Part {
    Part { uuid: call.to_owned(), state, sequence, error, carrier: None, at }
}

/// The answer that reads a code aloud.
fn speech(settings: &Settings, (flow, language): (Flow, Language), code: &str) -> String {
    let Spoken { locale, voice, .. } = spoken(language);
    let digits: Vec<_> = code.chars().map(String::from).collect();
    let pause = r#"<break time="600ms"/>"#;
    let digits = format!(r#"{pause}<prosody rate="slow">{}</prosody>{pause}"#, digits.join(pause));
    let text = xml_escaped(&template(settings, (flow, language))).replace("{code}", &digits);
    // The app's name last, since it may contain anything.
    let text = text.replace("{app}", &xml_escaped(&settings.app_name));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Speak language="{locale}" voice="Polly.{voice}"><break time="1s"/>{text}<break time="2s"/>{text}</Speak></Response>"#
    )
}

/// The text as a person would write it down.
pub(super) fn plain_text(settings: &Settings, of: (Flow, Language), code: &str) -> String {
    template(settings, of).replace("{code}", code).replace("{app}", &settings.app_name)
}

/// The operator's own text, or the built-in one.
fn template(settings: &Settings, (flow, language): (Flow, Language)) -> String {
    let own = settings.texts.get(language, Purpose::Call(flow)).map(str::to_owned);
    own.unwrap_or_else(|| {
        let Spoken { text, aims: [sign_up, log_in, confirm, change_phone, new_password], .. } = spoken(language);
        let aim = match flow {
            Flow::Register => sign_up,
            Flow::Login => log_in,
            Flow::SecondFactor => confirm,
            Flow::ChangePhone => change_phone,
            Flow::ResetPassword => new_password,
        };
        text.replace("{aim}", aim)
    })
}

const fn spoken(language: Language) -> &'static Spoken {
    match language {
        Language::English | Language::Ukrainian => &ENGLISH,
        Language::Spanish => &SPANISH,
        Language::French => &FRENCH,
        Language::German => &GERMAN,
        Language::Portuguese => &PORTUGUESE,
        Language::Italian => &ITALIAN,
        Language::Polish => &POLISH,
        Language::Arabic => &ARABIC,
        Language::Hindi => &HINDI,
        Language::Chinese => &CHINESE,
        Language::Japanese => &JAPANESE,
    }
}

const ENGLISH: Spoken = Spoken {
    locale: "en-US",
    voice: "Joanna",
    text: "Your {app} code to {aim} is: {code}. Do not share it with anybody.",
    aims: ["sign up", "log in", "confirm your login", "change your phone", "set a new password"],
};

const SPANISH: Spoken = Spoken {
    locale: "es-ES",
    voice: "Conchita",
    text: "Tu clave de {app} para {aim} es: {code}. No la compartas con nadie.",
    aims: ["registrarte", "entrar", "confirmar el acceso", "cambiar de teléfono", "poner una nueva contraseña"],
};

const FRENCH: Spoken = Spoken {
    locale: "fr-FR",
    voice: "Celine",
    text: "Votre code {app} pour {aim} est : {code}. Ne le partagez avec personne.",
    aims: [
        "vous inscrire",
        "vous connecter",
        "confirmer la connexion",
        "changer de numéro",
        "choisir un nouveau mot de passe",
    ],
};

const GERMAN: Spoken = Spoken {
    locale: "de-DE",
    voice: "Marlene",
    text: "Ihr Code von {app} {aim} lautet: {code}. Bitte nicht weitergeben.",
    aims: [
        "zur Registrierung",
        "zur Anmeldung",
        "zur Bestätigung der Anmeldung",
        "für die neue Nummer",
        "für ein neues Passwort",
    ],
};

const PORTUGUESE: Spoken = Spoken {
    locale: "pt-BR",
    voice: "Vitoria",
    text: "O seu PIN {app} para {aim} é: {code}. Nunca o compartilhe.",
    aims: ["criar a conta", "entrar", "confirmar o acesso", "mudar de telefone", "criar uma nova senha"],
};

const ITALIAN: Spoken = Spoken {
    locale: "it-IT",
    voice: "Carla",
    text: "Il tuo codice {app} per {aim} è: {code}. Non condividerlo con nessuno.",
    aims: ["registrarti", "accedere", "confermare l'accesso", "cambiare numero", "impostare una nuova password"],
};

const POLISH: Spoken = Spoken {
    locale: "pl-PL",
    voice: "Ewa",
    text: "Twój kod {app} {aim} to: {code}. Nie podawaj go nikomu.",
    aims: ["do rejestracji", "do logowania", "do potwierdzenia logowania", "do zmiany telefonu", "do zmiany hasła"],
};

const ARABIC: Spoken = Spoken {
    locale: "arb",
    voice: "Zeina",
    text: "رمز {app} {aim} هو: {code}. لا تشاركه مع أحد.",
    aims: ["للتسجيل", "لتسجيل الدخول", "لتأكيد الدخول", "لتغيير رقم الهاتف", "لتغيير كلمة المرور"],
};

const HINDI: Spoken = Spoken {
    locale: "hi-IN",
    voice: "Aditi",
    text: "{aim} के लिए आपका {app} कोड है: {code}। इसे किसी के साथ साझा न करें।",
    aims: ["साइन अप", "लॉगिन", "लॉगिन की पुष्टि", "फ़ोन नंबर बदलने", "नया पासवर्ड बनाने"],
};

const CHINESE: Spoken = Spoken {
    locale: "cmn-CN",
    voice: "Zhiyu",
    text: "您的{app}{aim}验证码是：{code}。请勿告知他人。",
    aims: ["注册", "登录", "登录确认", "更换手机号", "重置密码"],
};

const JAPANESE: Spoken = Spoken {
    locale: "ja-JP",
    voice: "Mizuki",
    text: "{app}の{aim}コードは、{code}です。他人に教えないでください。",
    aims: ["登録", "ログイン", "ログイン確認", "電話番号変更", "パスワード再設定"],
};

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;
    use strum::VariantArray as _;

    use super::super::otp_message::tests::settings;
    use super::*;
    use crate::config::{MAX_APP_NAME_LENGTH, OwnTexts};

    #[test]
    fn the_code_is_read_twice_digit_by_digit() {
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Speak language=\"en-US\" voice=\"Polly.Joanna\">\
            <break time=\"1s\"/>Your Otpost code to log in is: <break time=\"600ms\"/><prosody rate=\"slow\">0<break time=\"600ms\"/>\
            1<break time=\"600ms\"/>2<break time=\"600ms\"/>3<break time=\"600ms\"/>4<break time=\"600ms\"/>5</prosody>\
            <break time=\"600ms\"/>. Do not share it with anybody.<break time=\"2s\"/>Your Otpost code to log in is: \
            <break time=\"600ms\"/><prosody rate=\"slow\">0<break time=\"600ms\"/>1<break time=\"600ms\"/>2<break time=\"600ms\"/>\
            3<break time=\"600ms\"/>4<break time=\"600ms\"/>5</prosody><break time=\"600ms\"/>. Do not share it with anybody.\
            </Speak></Response>";
        assert_eq!(speech(&settings(&[]), (Flow::Login, Language::English), "012345"), expected);
    }

    #[test]
    fn what_is_not_ours_is_escaped_and_replaces_nothing() {
        let settings = settings(&[("APP_NAME", "<A&B> '\"{code}")]);
        let xml = speech(&settings, (Flow::Login, Language::English), "012345");
        assert_eq!(xml.matches("Your &lt;A&amp;B&gt; &apos;&quot;{code} code to log in").count(), 2, "{xml}");
        assert_eq!(xml.matches("<prosody").count(), 2, "{xml}");
        let texts = OwnTexts::parse(&json!({ "de": { "voice": { "login": "<Hangup/> & {code}" } } }).to_string());
        let settings = Settings { texts: texts.unwrap(), ..settings };
        let xml = speech(&settings, (Flow::Login, Language::German), "012345");
        assert!(xml.contains("&lt;Hangup/&gt; &amp; <break"), "{xml}");
        assert!(xml.contains("language=\"de-DE\" voice=\"Polly.Marlene\""), "{xml}");
    }

    #[test]
    fn a_language_that_no_voice_speaks_is_english() {
        let xml = |language| speech(&settings(&[]), (Flow::Register, language), "012345");
        assert_eq!(xml(Language::Ukrainian), xml(Language::English));
    }

    /// The document's tables.
    fn tables() -> String {
        let mut tables = String::new();
        for language in Language::VARIANTS.iter().filter(|language| **language != Language::Ukrainian) {
            let Spoken { locale, voice, .. } = spoken(*language);
            write!(tables, "\n### {language:?} (`{}`: {locale}, {voice})\n\n", language.code()).unwrap();
            for flow in Flow::ALL {
                writeln!(tables, "- {}", plain_text(&settings(&[]), (flow, *language), "012345")).unwrap();
            }
        }
        tables
    }

    #[test]
    fn the_document_shows_every_text() {
        let document = include_str!("../../../docs/voice.md");
        let tables = tables();
        let shown = document.find("\n### ").map_or("", |start| &document[start..]);
        assert!(shown == tables, "docs/voice.md should end in:\n{tables}");
    }

    #[test]
    fn the_longest_text_ends_before_the_call_does() {
        let settings = settings(&[("APP_NAME", &"A".repeat(MAX_APP_NAME_LENGTH))]);
        for language in Language::VARIANTS {
            for flow in Flow::ALL {
                let text = plain_text(&settings, (flow, *language), "0123456789");
                assert!(text.chars().count() <= MAX_TEXT_LENGTH, "{text}");
            }
        }
    }
}
