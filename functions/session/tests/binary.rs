//! The binary itself, as Lambda runs it.

use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_session");

#[test]
fn a_missing_setting_ends_the_start_with_one_line() {
    let output = Command::new(BINARY).env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("setting USERS_TABLE is missing"), "{text}");
}

#[tokio::test]
async fn it_answers_its_event_file() {
    let answer = local::lambda::answer(BINARY, include_str!("../../../events/session.json")).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
}
