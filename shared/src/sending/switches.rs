//! Kill switches: what is switched off now, whatever the settings say. A flow, a country or a channel. Uses `phone` for country codes.

use std::collections::BTreeSet;
use std::fmt;

use super::Flow;
use crate::phone::Country;

/// Plain messages.
pub const SMS: &str = "sms";
/// Messages with media.
pub const MMS: &str = "mms";

/// Something that can be switched off: `register`, `login`, `second_factor`, `message`, `sms`, `mms`, or a country like `DE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Switch(String);

impl Switch {
    /// Reads its name; `None` where there is no such.
    pub fn parse(name: &str) -> Option<Self> {
        let is_flow = Flow::ALL.iter().any(|flow| flow.word() == name);
        let is_one = is_flow || [SMS, MMS].contains(&name) || Country::parse(name).is_some();
        is_one.then(|| Self(name.to_owned()))
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is switched off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches(pub BTreeSet<Switch>);

impl Switches {
    /// What of this is switched off, if anything.
    pub fn stops(&self, flow: Flow, country: Country, channel: &str) -> Option<&Switch> {
        let country = country.code();
        self.0.iter().find(|Switch(name)| *name == flow.word() || *name == country || *name == channel)
    }
}

impl fmt::Display for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|Switch(name)| name.as_str()).collect();
        f.write_str(if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_switch_is_refused() {
        for name in ["", "XX", "us", "Login", "voice", "login ", "*"] {
            assert_eq!(Switch::parse(name), None, "{name}");
        }
    }

    #[test]
    fn each_switch_stops_its_own_and_nothing_else() {
        let country = |code| Country::parse(code).unwrap();
        let off = |name| Switches([Switch::parse(name).unwrap()].into());
        assert!(off("login").stops(Flow::Login, country("US"), SMS).is_some());
        assert!(off("login").stops(Flow::Register, country("US"), SMS).is_none());
        assert!(off("DE").stops(Flow::Login, country("DE"), SMS).is_some());
        assert!(off("DE").stops(Flow::Login, country("US"), SMS).is_none());
        assert!(off("mms").stops(Flow::Message, country("US"), MMS).is_some());
        assert!(off("mms").stops(Flow::Message, country("US"), SMS).is_none());
        assert!(Switches::default().stops(Flow::Login, country("US"), SMS).is_none());
    }
}
