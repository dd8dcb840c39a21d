//! Kill switches: what is switched off now, whatever the settings say. A flow, a country or a channel.

use std::collections::BTreeSet;
use std::fmt;

use phone_number::Country;

use crate::flow::Flow;

/// Plain messages.
pub const SMS: &str = "sms";
/// Calls that read a code aloud.
pub const VOICE: &str = "voice";
/// Messages with media.
pub const MMS: &str = "mms";

/// The app's own messages.
pub const MESSAGE: &str = "message";

/// Something that can be switched off: a flow by its name, `message`, `sms`, `mms`, `voice`, or a country like `DE`. The help of `otpost off` lists
/// them all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, derive_more::Display)]
pub struct KillSwitch(String);

impl KillSwitch {
    /// Reads its name; `None` where there is no such.
    pub fn parse(name: &str) -> Option<Self> {
        let is_flow = Flow::ALL.iter().any(|flow| flow.as_str() == name);
        let is_one = is_flow || [MESSAGE, SMS, MMS, VOICE].contains(&name) || Country::parse(name).is_some();
        is_one.then(|| Self(name.to_owned()))
    }
}

/// What is switched off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KillSwitches(pub BTreeSet<KillSwitch>);

impl KillSwitches {
    /// Whether a flow (or [`MESSAGE`]), a country or a channel is switched off.
    pub fn stop(&self, flow: &str, country: Country, channel: &str) -> bool {
        let country = country.code();
        self.0.iter().any(|KillSwitch(name)| [flow, &country, channel].contains(&name.as_str()))
    }
}

impl fmt::Display for KillSwitches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|KillSwitch(name)| name.as_str()).collect();
        f.write_str(if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_switch_is_refused() {
        for name in ["", "XX", "us", "Login", "call", "login ", "*"] {
            assert_eq!(KillSwitch::parse(name), None, "{name}");
        }
    }

    #[test]
    fn each_switch_stops_its_own_and_nothing_else() {
        let country = |code| Country::parse(code).unwrap();
        let off = |name| KillSwitches([KillSwitch::parse(name).unwrap()].into());
        assert!(off("login").stop("login", country("US"), SMS));
        assert!(!off("login").stop("register", country("US"), SMS));
        assert!(off("DE").stop("login", country("DE"), SMS));
        assert!(!off("DE").stop("login", country("US"), SMS));
        assert!(off("mms").stop("message", country("US"), MMS));
        assert!(!off("mms").stop("message", country("US"), SMS));
        assert!(off("voice").stop("login", country("US"), VOICE));
        assert!(!off("voice").stop("login", country("US"), SMS));
        assert!(!KillSwitches::default().stop("login", country("US"), SMS));
    }
}
