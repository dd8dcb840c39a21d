//! The binary itself, as Lambda runs it.

use local::runtime_api;

const BINARY: &str = env!("CARGO_BIN_EXE_plivo-events");

#[test]
fn a_missing_setting_ends_the_start_with_one_line() {
    assert_eq!(runtime_api::start_without_settings(BINARY).unwrap(), "setting USERS_TABLE is missing");
}

#[tokio::test]
async fn it_answers_its_event_files() {
    runtime_api::run_event_files(env!("CARGO_PKG_NAME"), BINARY).await.unwrap();
}
