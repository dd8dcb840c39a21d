//! How a code gets to a phone.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// How a code gets to a phone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Channel {
    /// A text message.
    #[default]
    Sms,
    /// A call that reads it aloud.
    Voice,
}

impl Channel {
    /// The name in bodies, kill switches, metrics and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
