//! An SMS to our number, as Plivo posts it (Plivo: "Receive incoming messages"), and the Message XML that answers it.

use super::{is_id, xml_escaped};

/// An inbound message.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    /// Plivo's id of it.
    pub uuid: &'a str,
    /// Who has sent it: an international number without `+`.
    pub from: &'a str,
    /// Which of our numbers it came to, without `+`.
    pub to: &'a str,
    /// What it says.
    pub text: &'a str,
    /// What Plivo takes it for: `optout`, `optin`, `help` or nothing.
    pub intent: &'a str,
}

impl<'a> Inbound<'a> {
    /// Reads the parameters of a request. `None` where one that every message has is missing, or the numbers are none.
    pub fn read(parameter: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let digits = |name: &str| {
            let number = parameter(name)?;
            let number = number.strip_prefix('+').unwrap_or(number);
            (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
        };
        Some(Self {
            uuid: parameter("MessageUUID").filter(|uuid| is_id(uuid))?,
            from: digits("From")?,
            to: digits("To")?,
            // An MMS has a body instead.
            text: parameter("Text").or_else(|| parameter("Body")).unwrap_or_default(),
            intent: parameter("MessageIntent").unwrap_or_default(),
        })
    }

    /// The XML that sends this text back to where the message came from.
    pub fn answer(&self, text: &str) -> String {
        let (from, to) = (self.to, self.from);
        format!(r#"<Response><Message src="{from}" dst="{to}" type="sms">{}</Message></Response>"#, xml_escaped(text))
    }
}

/// The XML that sends nothing back.
pub const NO_ANSWER: &str = "<Response/>";

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("MessageUUID", "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46"),
        ("From", "14155550100"),
        ("To", "14155550199"),
        ("Text", "STOP"),
        ("MessageIntent", "optout"),
    ];

    /// The good parameters with this one changed.
    fn read(name: &str, value: Option<&'static str>) -> Option<Inbound<'static>> {
        let find = |asked: &str| GOOD.iter().find(|(known, _)| *known == asked).map(|(_, value)| *value);
        Inbound::read(|asked| if asked == name { value } else { find(asked) })
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        let long = "a234567890123456789012345678901234567890123456789012345678901234x";
        for (name, value) in [
            ("MessageUUID", None),
            ("MessageUUID", Some("")),
            ("MessageUUID", Some("a b")),
            ("MessageUUID", Some(long)),
            ("From", None),
            ("From", Some("")),
            ("From", Some("+")),
            ("From", Some("AMAZON")),
            ("To", None),
            ("To", Some(r#"1" x=""#)),
        ] {
            assert!(read(name, value).is_none(), "{name} {value:?}");
        }
    }

    #[test]
    fn a_message_is_read_and_answered() {
        let message = read("", None).unwrap();
        assert_eq!(
            (message.from, message.to, message.text, message.intent),
            ("14155550100", "14155550199", "STOP", "optout")
        );
        assert_eq!(
            message.answer("Codes <only> & \"no\" ads"),
            r#"<Response><Message src="14155550199" dst="14155550100" type="sms">Codes &lt;only&gt; &amp; &quot;no&quot; ads</Message></Response>"#
        );
        assert_eq!(read("From", Some("+14155550100")).unwrap().from, "14155550100");
        let quiet = read("MessageIntent", None).unwrap();
        assert_eq!((quiet.intent, read("Text", None).unwrap().text), ("", ""));
    }

    #[test]
    fn the_text_of_an_mms_is_its_body() {
        let mms = Inbound::read(|name| match name {
            "Text" => None,
            "Body" => Some("stop"),
            name => GOOD.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
        });
        assert_eq!(mms.unwrap().text, "stop");
    }
}
