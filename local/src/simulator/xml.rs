//! The XML that an application answers: what to say in a call, and messages to send.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

/// The parameters of a message to send.
pub(super) type Parameters = Map<String, Value>;

/// What the `<Speak>` elements say, without their markup, each once. `None`: it is no response.
pub(super) fn spoken(text: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let speaks = elements(&document)?.filter(|element| element.has_tag_name("Speak"));
    let words = |speak: Node<'_, '_>| {
        let texts: Vec<_> =
            speak.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect();
        texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    Some(speaks.map(words).collect::<Vec<_>>().join("\n"))
}

/// The `<Message>` elements as parameters of messages; the numbers are those that an element does not name. `None`: it is no response.
pub(super) fn messages(text: &str, src: &str, dst: &str) -> Option<Vec<Parameters>> {
    let document = Document::parse(text).ok()?;
    let messages = elements(&document)?.filter(|element| element.has_tag_name("Message"));
    let parameters = |message: Node<'_, '_>| {
        let given = |name: &str| message.attribute(name).map(str::to_owned);
        let named = [
            ("src", given("src").or_else(|| Some(src.to_owned()))),
            ("dst", given("dst").or_else(|| Some(dst.to_owned()))),
            ("type", given("type")),
            ("url", given("callbackUrl")),
            ("method", given("callbackMethod")),
            ("text", message.text().map(|text| text.trim().to_owned())),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
    };
    Some(messages.map(parameters).collect())
}

/// The elements of a response.
fn elements<'a, 'input>(document: &'a Document<'input>) -> Option<impl Iterator<Item = Node<'a, 'input>>> {
    let root = document.root_element();
    root.has_tag_name("Response").then(|| root.children().filter(Node::is_element))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_response_is_none() {
        for text in
            ["", "hello", "{}", "<Response>", "<Answer><Speak>x</Speak></Answer>", "<Response>&unknown;</Response>"]
        {
            assert_eq!((spoken(text), messages(text, "1", "2")), (None, None), "{text}");
        }
    }

    #[test]
    fn speech_is_read_without_its_markup() {
        let text = "<?xml version=\"1.0\"?><Response><Wait length=\"1\"/><Speak loop=\"2\" voice=\"Polly.Joanna\">Your\n code &amp; more: \
                    <prosody rate=\"slow\">1<break time=\"1s\"/>2</prosody></Speak><Speak>Bye</Speak></Response>";
        assert_eq!(spoken(text).as_deref(), Some("Your code & more: 1 2\nBye"));
        assert_eq!(spoken("<Response/>").as_deref(), Some(""));
    }

    #[test]
    fn messages_go_to_the_phone_unless_they_name_another() {
        let text = "<Response><Message>Hello &lt;you&gt;</Message><Message src=\"3\" dst=\"4\" type=\"sms\" \
                    callbackUrl=\"http://h/\" callbackMethod=\"GET\">x</Message></Response>";
        let found: Vec<Value> = messages(text, "1", "2").unwrap().into_iter().map(Value::Object).collect();
        assert_eq!(
            found,
            [
                json!({"src": "1", "dst": "2", "text": "Hello <you>"}),
                json!({"src": "3", "dst": "4", "type": "sms", "url": "http://h/", "method": "GET", "text": "x"}),
            ]
        );
    }
}
