//! The operator's commands, as they are typed: the binary on a stack's tables.

use std::process::Output;

use tokio::process::Command;

use crate::support::App;

const PHONE: &str = "+14155550101";

async fn otpost(app: &App, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otpost"));
    command.env_clear().envs(&app.stack.settings).args(arguments);
    command.output().await.unwrap()
}

/// What a command that went well prints.
async fn said(app: &App, arguments: &[&str]) -> String {
    let output = otpost(app, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_command_switches_a_flow_off_and_on_and_says_who_did() {
    let app = App::start().await;
    assert!(said(&app, &["switches"]).await.starts_with("Off: nothing\n"));
    let text = said(&app, &["off", "register", "--by", "Jane", "--why", "an attack"]).await;
    assert!(text.starts_with("Off: register\n") && text.contains("register off, by Jane: an attack"), "{text}");
    app.advance(60);
    app.register_start(PHONE).await.refused(503, 14000, "switched_off");
    said(&app, &["on", "register", "--by", "Jane", "--why", "it is over"]).await;
    app.advance(60);
    app.register_start(PHONE).await.ok();
    let text = said(&app, &["switches"]).await;
    assert!(text.contains("register off, by Jane") && text.contains("register on, by Jane: it is over"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_nothing_is_changed() {
    let app = App::start().await;
    for arguments in [
        &["off", "XX", "--by", "Jane", "--why", "x"][..],
        &["off", "register"],
        &["worst-case", "--config", "BUDGET=5"],
        &["worst-case", "--config", "NOTHING=5"],
        &["nothing"],
    ] {
        let output = otpost(&app, arguments).await;
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(app.stack.service.controls.switch_record().await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn the_worst_case_follows_from_the_settings_alone() {
    let app = App::start().await;
    let text = said(&app, &["worst-case"]).await;
    for part in ["hour", "5.00", "649", "25.00", "3246", "250.00", "32467", "CA, US"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = said(&app, &["worst-case", "--config", "BUDGET=1/2/3"]).await;
    assert!(text.contains("1.00") && text.contains("129") && !text.contains("250.00"), "{text}");
    assert!(!text.contains("fits"), "{text}");
    let text = said(&app, &["worst-case", "--config", "BUDGET_SLICES=4096"]).await;
    assert!(text.contains("No registration in US fits"), "{text}");
}

#[tokio::test]
async fn stored_decisions_are_tried_on_other_rules() {
    let app = App::with(&[("PUMPING_MODE", "monitor"), ("PUMPING_PREFIX", "4/0/50")]).await;
    for line in 1..=6 {
        app.register_start(&format!("+1415555010{line}")).await.ok();
    }
    let same = said(&app, &["replay"]).await;
    assert!(same.contains("6 decisions, 0 of them different"), "{same}");
    let strict = said(&app, &["replay", "--config", "PUMPING_MODE=refuse", "--config", "PUMPING_PREFIX=2/0/50"]).await;
    assert!(strict.contains("6 decisions, 4 of them different"), "{strict}");
    assert!(strict.contains("2  send -> refuse (prefix_pumping)"), "{strict}");
    assert!(strict.contains("2  send (prefix_pumping) -> refuse (prefix_pumping)"), "{strict}");
    assert!(!strict.contains("555010"), "it names nobody: {strict}");
    let poor = said(&app, &["replay", "--config", "BUDGET=0.02/1/1"]).await;
    assert!(poor.contains("send -> refuse (budget)"), "{poor}");
}

/// Found by a review: what the slices have left together can be one message more, which none of them has room for.
#[tokio::test]
async fn a_refusal_by_a_budget_is_one_again_by_the_same_rules() {
    let app = App::with(&[("BUDGET", "0.05/1/1"), ("BUDGET_SLICES", "2")]).await;
    for line in 1..=6 {
        app.register_start(&format!("+1415555010{line}")).await;
    }
    let same = said(&app, &["replay"]).await;
    assert!(same.contains("refuse (budget) -> refuse (budget)"), "{same}");
    assert!(
        same.contains("6 decisions, 0 of them different"),
        "where the slices' remainders would be one more: {same}"
    );
}
