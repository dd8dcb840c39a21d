//! Writes `shared/src/phone/tables.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/phone/tables.rs");
    let written = phone_tables::tables().and_then(|tables| Ok(std::fs::write(path, tables.source)?));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("phone-tables: {failure}");
            ExitCode::FAILURE
        }
    }
}
