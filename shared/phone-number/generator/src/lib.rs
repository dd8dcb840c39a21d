//! Writes `shared/phone-number/src/tables.rs` from libphonenumber's metadata: everything of it that decides what a number is, as automata that need
//! no decoding and no regular expressions when a function starts. `cargo run -p phone-number-generator` writes the file; a test says when it
//! is out of date, which is when `rlibphonenumber` is updated.
//!
//! | module | for |
//! |---|---|
//! | `metadata` | what libphonenumber says of each numbering plan |
//! | `pattern` | runs one of its regular expressions a digit at a time |
//! | `automaton` | writes automata over digits into one array |
//! | `machines` | the questions that `phone_number` asks, each as a machine over digits |
//! | `source` | the file's text |

mod automaton;
mod machines;
mod metadata;
mod pattern;
mod source;

use rlibphonenumber::PhoneNumberType;

pub use source::{Path, Tables, tables};

/// Why no tables could be written: the metadata has something that this crate does not know.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Whether a number of this kind can be a person's. The others cost their caller extra, or are no one's.
pub const fn is_a_persons(kind: PhoneNumberType) -> bool {
    match kind {
        PhoneNumberType::FixedLine
        | PhoneNumberType::Mobile
        | PhoneNumberType::FixedLineOrMobile
        | PhoneNumberType::VoIP
        | PhoneNumberType::Unknown => true,
        PhoneNumberType::TollFree
        | PhoneNumberType::PremiumRate
        | PhoneNumberType::SharedCost
        | PhoneNumberType::PersonalNumber
        | PhoneNumberType::Pager
        | PhoneNumberType::UAN
        | PhoneNumberType::VoiceMail => false,
    }
}
