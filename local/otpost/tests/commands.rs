//! Runs the operator's commands against a stack's tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::process::Output;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Output as StackOutput, Parameter, Stack as CloudFormationStack};
use local::{Options, Stack};
use otpost::stack::DeployedStack;
use regex::Regex;
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
    assert!(
        Regex::new(r"(?m)^  20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z: register off").unwrap().is_match(&text),
        "{text}"
    );
    stack.clock.advance(Duration::from_secs(60));
    assert_eq!(register(&stack, PHONE).await, 503);
    printed(&stack, &["on", "register", "--by", "Jane", "--why", "it is over"]).await;
    stack.clock.advance(Duration::from_secs(60));
    assert_eq!(register(&stack, PHONE).await, 200);
    let text = printed(&stack, &["kill-switches"]).await;
    assert!(text.contains("register off, by Jane") && text.contains("register on, by Jane: it is over"), "{text}");
}

#[tokio::test]
async fn texts_are_shown_or_refused_with_all_that_is_wrong() {
    let lint = async |json: &str, settings: &[&str]| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_otpost"));
        let output = command.env_clear().args(["lint", file.path().to_str().unwrap()]).args(settings).output().await;
        let Output { status, stdout, stderr } = output.unwrap();
        (status.success(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    };
    let good = r#"{"de": {"login": "{code} ist dein Code für {app}, gültig {life}."}}"#;
    let settings = ["--config", "APP_NAME=Example", "--config", "WEBOTP_HOST=app.example.com"];
    let (is_good, shown) = lint(good, &settings).await;
    assert!(is_good, "{shown}");
    assert_eq!(shown, "de login: 000000 ist dein Code für Example, gültig <1 min.\n\n@app.example.com #000000\n");
    let bad = r#"{"uk": {"register": "{code}О bit.ly/x", "phone_changed": "{app}: новий номер {code}"}}"#;
    let (is_good, shown) = lint(bad, &[]).await;
    assert!(!is_good);
    for problem in
        ["uk register: has a link", "uk register: has a character next", "uk phone_changed: has other braces"]
    {
        assert!(shown.contains(problem), "{problem}: {shown}");
    }
    assert_eq!(lint("{}", &[]).await, (true, "No texts of your own.\n".to_owned()));
    for json in ["", r#"{"de": {"login": "no code"}}"#] {
        assert!(!lint(json, &[]).await.0, "{json}");
    }
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
    for part in ["hour", "5.00", "649", "25.00", "3246", "250.00", "32467", "CA, US", "1000.00 a month, and 100 a day"]
    {
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

#[tokio::test]
async fn no_rule_has_a_say_about_a_test_number() {
    let stack = start(&[("TEST_NUMBERS", "+14155550190=246810@2099-12-31")]).await;
    assert_eq!(register(&stack, "+14155550190").await, 200);
    let same = printed(&stack, &["replay", "--config", "BUDGET=0/0/0"]).await;
    assert!(same.contains("1 decisions, 0 of them different") && same.contains("1  test -> test"), "{same}");
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

/// local/tests/moto/run asks a CloudFormation for them.
#[test]
fn a_stack_s_outputs_and_parameters_are_settings() {
    let output = |name: &str, value: &str| StackOutput::builder().output_key(name).output_value(value).build();
    let parameter = |name: &str, value: &str| Parameter::builder().parameter_key(name).parameter_value(value).build();
    let stack = CloudFormationStack::builder()
        .outputs(output("UsersTable", "otpost-UsersTable-1ABC"))
        .parameters(parameter("CodeLength", "8"))
        .parameters(parameter("SmsCountries", ""))
        .build();
    let stack = DeployedStack::of(&stack);
    assert_eq!(stack.setting("USERS_TABLE").as_deref(), Some("otpost-UsersTable-1ABC"));
    assert_eq!(stack.setting("CODE_LENGTH").as_deref(), Some("8"));
    assert_eq!(stack.setting("SMS_COUNTRIES"), None, "an empty parameter is the default");
    assert_eq!(stack.setting("PHONES_TABLE"), None);
}

/// Found by a review: credentials in the environment would come first, and a kill switch be set in another account.
#[tokio::test]
async fn a_profile_is_refused_beside_credentials_in_the_environment() {
    let stack = start(&[]).await;
    let output = otpost(&stack, &["--profile", "prod", "kill-switches"]).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("AWS_ACCESS_KEY_ID"), "{error}");
}

/// Registers a user and logs in. Returns the objectId and the session's token.
async fn user(stack: &Stack, email: &str) -> (String, String) {
    let call = async |path: &str, body: serde_json::Value| {
        let url = format!("{}/api/{path}", stack.config.url);
        let request = local::http_client().unwrap().post(url).body(body.to_string());
        let answer: serde_json::Value =
            serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        stack.settle().await;
        answer
    };
    let code = || stack.simulator.messages(Some(PHONE))[0].text.chars().take(6).collect::<String>();
    let started = call("users/register", json!({ "phoneNumber": PHONE })).await;
    let body = json!({
        "phoneNumber": PHONE, "email": email, "password": "correct horse battery", "transactionId": started["transactionId"],
        "transactionCode": code(),
    });
    let user = call("users/register", body).await;
    stack.clock.advance(Duration::from_secs(30));
    let started = call("services/Plivo/loginWithPhoneNumber", json!({ "phoneNumber": PHONE })).await;
    let body = json!({ "transactionId": started["transactionId"], "code": code() });
    let login = call("services/Plivo/loginWithCode", body).await;
    stack.clock.advance(Duration::from_secs(30));
    (user["objectId"].as_str().unwrap().to_owned(), login["user-token"].as_str().unwrap().to_owned())
}

async fn is_valid(stack: &Stack, token: &str) -> bool {
    let url = format!("{}/api/users/isvalidusertoken/{token}", stack.config.url);
    local::http_client().unwrap().get(url).send().await.unwrap().text().await.unwrap() == "true"
}

/// Starts a login, and returns how many messages the phone has got by then.
async fn messages_after_login(stack: &Stack) -> usize {
    let url = format!("{}/api/services/Plivo/loginWithPhoneNumber", stack.config.url);
    assert_eq!(local::http_client().unwrap().post(url).body(PHONE).send().await.unwrap().status(), 200);
    stack.settle().await;
    stack.clock.advance(Duration::from_secs(86_400));
    stack.simulator.messages(Some(PHONE)).len()
}

#[tokio::test]
async fn a_user_is_found_by_phone_address_and_id_and_nobody_else_is() {
    let stack = start(&[]).await;
    let (id, _) = user(&stack, "Jane@example.com").await;
    for who in [PHONE, "jane@EXAMPLE.com", &id] {
        let text = printed(&stack, &["user", "find", who]).await;
        for part in [&id, PHONE, "Jane@example.com", "ENABLED", "sessions 1"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
    for who in ["+14155550102", "joe@example.com", "CBFA6722-58AD-12BE-FF80-28999D7D0200", "@", "+1"] {
        assert!(!otpost(&stack, &["user", "find", who]).await.status.success(), "{who}");
    }
}

#[tokio::test]
async fn a_disabled_user_has_no_session_and_gets_no_code_until_enabled() {
    let stack = start(&[]).await;
    let (_, token) = user(&stack, "jane@example.com").await;
    let change = |what| ["user", what, PHONE, "--by", "Jane", "--why", "abuse"];
    assert!(printed(&stack, &change("disable")).await.contains("DISABLED"));
    assert!(!is_valid(&stack, &token).await);
    let sent = stack.simulator.messages(Some(PHONE)).len();
    assert_eq!(messages_after_login(&stack).await, sent, "the start looks the same and sends nothing");
    printed(&stack, &change("enable")).await;
    assert_eq!(messages_after_login(&stack).await, sent + 1);
    assert!(!is_valid(&stack, &token).await);
}

#[tokio::test]
async fn sessions_end_roles_are_given_and_an_address_is_released() {
    let stack = start(&[]).await;
    let (id, token) = user(&stack, "jane@example.com").await;
    let by = ["--by", "Jane", "--why", "asked"];
    let change = |arguments: &[&'static str]| [&["user"], arguments, &by].concat();
    assert!(printed(&stack, &change(&["add-role", PHONE, "Editor"])).await.contains("roles    Editor"));
    assert!(!otpost(&stack, &change(&["add-role", PHONE, "RestUser"])).await.status.success());
    assert!(!printed(&stack, &change(&["remove-role", PHONE, "Editor"])).await.contains("Editor"));
    printed(&stack, &change(&["sign-out", PHONE])).await;
    assert!(!is_valid(&stack, &token).await);
    printed(&stack, &change(&["release-email", PHONE])).await;
    assert!(!otpost(&stack, &["user", "find", "jane@example.com"]).await.status.success());
    assert!(!otpost(&stack, &change(&["release-email", PHONE])).await.status.success(), "there is none any more");
    assert_eq!(printed(&stack, &change(&["delete", PHONE])).await, format!("{id} is deleted\n"));
    assert!(!otpost(&stack, &["user", "find", &id]).await.status.success());
    let scan = stack.app.dynamodb().scan().table_name("controls").send().await.unwrap();
    let audited = scan.items().iter().filter(|item| item["id"].as_s().unwrap().starts_with("audit#")).count();
    assert!(audited >= 5, "each change is recorded, also one that then failed");
}
