//! Runs the operator's commands against a stack's tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::process::Output;
use std::time::Duration;

use local::{Options, Stack};
use serde_json::json;
use tokio::process::Command;

const PHONE: &str = "+14155550101";

async fn start(settings: &[(&str, &str)]) -> Stack {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Stack::start(Options { settings, ..Options::default() }).await.unwrap()
}

async fn otpost(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otpost"));
    command.env_clear().envs(&stack.settings).args(arguments);
    command.output().await.unwrap()
}

/// Runs a command, asserts that it succeeds, and returns its output.
async fn printed(stack: &Stack, arguments: &[&str]) -> String {
    let output = otpost(stack, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Starts a registration and returns the status.
async fn register(stack: &Stack, phone: &str) -> u16 {
    let url = format!("{}/api/users/register", stack.config.url);
    let request = local::http_client().unwrap().post(url).body(json!({ "phoneNumber": phone }).to_string());
    let status = request.send().await.unwrap().status().as_u16();
    stack.settle().await;
    status
}

#[tokio::test]
async fn a_command_switches_a_flow_off_and_on_and_says_who_did() {
    let stack = start(&[]).await;
    assert!(printed(&stack, &["kill-switches"]).await.starts_with("Off: nothing\n"));
    let text = printed(&stack, &["off", "register", "--by", "Jane", "--why", "an attack"]).await;
    assert!(text.starts_with("Off: register\n") && text.contains("register off, by Jane: an attack"), "{text}");
    stack.clock.advance(Duration::from_secs(60));
    assert_eq!(register(&stack, PHONE).await, 503);
    printed(&stack, &["on", "register", "--by", "Jane", "--why", "it is over"]).await;
    stack.clock.advance(Duration::from_secs(60));
    assert_eq!(register(&stack, PHONE).await, 200);
    let text = printed(&stack, &["kill-switches"]).await;
    assert!(text.contains("register off, by Jane") && text.contains("register on, by Jane: it is over"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_done_is_reported_and_changes_nothing() {
    let stack = start(&[]).await;
    for arguments in [
        &["off", "XX", "--by", "Jane", "--why", "x"][..],
        &["off", "register"],
        &["max-exposure", "--config", "BUDGET=5"],
        &["max-exposure", "--config", "NOTHING=5"],
        &["nothing"],
    ] {
        let output = otpost(&stack, arguments).await;
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(stack.app.store.controls.kill_switches().await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn the_maximum_exposure_follows_from_the_settings_alone() {
    let stack = start(&[]).await;
    let text = printed(&stack, &["max-exposure"]).await;
    for part in ["hour", "5.00", "649", "25.00", "3246", "250.00", "32467", "CA, US"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = printed(&stack, &["max-exposure", "--config", "BUDGET=1/2/3"]).await;
    assert!(text.contains("1.00") && text.contains("129") && !text.contains("250.00"), "{text}");
    assert!(!text.contains("fits"), "{text}");
    let text = printed(&stack, &["max-exposure", "--config", "BUDGET_SHARDS=4096"]).await;
    assert!(text.contains("No registration in US fits"), "{text}");
}

#[tokio::test]
async fn stored_decisions_are_tried_on_other_rules() {
    let stack = start(&[("PUMPING_MODE", "monitor"), ("PUMPING_PREFIX", "4/0/50")]).await;
    for line in 1..=6 {
        assert_eq!(register(&stack, &format!("+1415555010{line}")).await, 200);
    }
    let same = printed(&stack, &["replay"]).await;
    assert!(same.contains("6 decisions, 0 of them different"), "{same}");
    let strict =
        printed(&stack, &["replay", "--config", "PUMPING_MODE=refuse", "--config", "PUMPING_PREFIX=2/0/50"]).await;
    assert!(strict.contains("6 decisions, 4 of them different"), "{strict}");
    assert!(strict.contains("2  send -> refuse (prefix_pumping)"), "{strict}");
    assert!(strict.contains("2  send (prefix_pumping) -> refuse (prefix_pumping)"), "{strict}");
    assert!(!strict.contains("555010"), "it names nobody: {strict}");
    let poor = printed(&stack, &["replay", "--config", "BUDGET=0.02/1/1"]).await;
    assert!(poor.contains("send -> refuse (budget)"), "{poor}");
}

/// Found by a review: the remainders of all shards together can be enough for a message that no single shard has room for.
#[tokio::test]
async fn a_refusal_by_a_budget_is_one_again_by_the_same_rules() {
    let stack = start(&[("BUDGET", "0.05/1/1"), ("BUDGET_SHARDS", "2")]).await;
    for line in 1..=6 {
        register(&stack, &format!("+1415555010{line}")).await;
    }
    let same = printed(&stack, &["replay"]).await;
    assert!(same.contains("refuse (budget) -> refuse (budget)"), "{same}");
    assert!(
        same.contains("6 decisions, 0 of them different"),
        "where the shards' remainders would be one more: {same}"
    );
}

/// Found by a review: credentials in the environment would come first, and a kill switch be set in another account.
#[tokio::test]
async fn a_profile_is_refused_beside_credentials_in_the_environment() {
    let stack = start(&[]).await;
    let output = otpost(&stack, &["--profile", "prod", "kill-switches"]).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("AWS_ACCESS_KEY_ID"), "{error}");
}
