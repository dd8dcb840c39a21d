//! What Plivo's error codes of messages mean (Plivo: "Message error codes"), in words for a person.

/// Why a message did not arrive.
pub fn in_words(code: &str) -> &'static str {
    match code {
        "10" => "The message was invalid.",
        "20" => "The carrier's network had an error.",
        "30" => "The carrier took the message for spam.",
        "40" => "The sender's number is not valid there.",
        "50" => "This is not a number that can get messages.",
        "60" => "The message went round in a loop.",
        "70" => "The phone cannot be reached any more.",
        "80" => "The phone could not be reached. It may be switched off or out of coverage.",
        "90" => "No carrier takes messages to this number.",
        "100" => "The carrier does not let this message through.",
        "110" => "The message was too long.",
        "120" => "The media were too large.",
        "200" => "The phone has opted out of messages from this sender.",
        "201" => "A toll-free number of the United States cannot send to Canada.",
        "420" => "The message waited too long and was given up.",
        "450" => "The Plivo account does not send to this country.",
        "900" => "The Plivo account has no credit.",
        _ => "The carrier did not say why.",
    }
}
