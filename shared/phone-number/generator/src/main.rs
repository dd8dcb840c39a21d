//! Writes `shared/phone-number/src/tables.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/tables.rs");
    let written = phone_number_generator::tables().and_then(|tables| Ok(std::fs::write(path, tables.source)?));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("phone-number-generator: {failure}");
            ExitCode::FAILURE
        }
    }
}
