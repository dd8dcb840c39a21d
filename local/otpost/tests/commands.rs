//! Runs the operator's commands against a stack's tables.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::process::Output;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Output as StackOutput, Parameter, Stack as CloudFormationStack};
use local::clock::Pace;
use local::{Options, Stack};
use otpost::audit::Author;
use otpost::conversion::{Conversion, Suspension, conversion};
use otpost::spend::{BudgetReport, SpendReport, spend};
use otpost::stack::DeployedStack;
use otpost::why::{Holdup, Line, Rules, WhyReport, unblock, why};
use phone_number::Country;
use regex::Regex;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::flow::Flow;
use shared::spend::kill_switch::{MESSAGE, MMS, SMS, VOICE};
use shared::store::{AuditEntry, DeliveryState, KillSwitchChange, Part, PhoneKey, Report};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

const PHONE: &str = "+14155550101";

async fn start(settings: &[(&str, &str)]) -> Stack {
    start_at(Pace::Runs, settings).await
}

async fn start_at(pace: Pace, settings: &[(&str, &str)]) -> Stack {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Stack::start(Options { settings, pace, ..Options::default() }).await.unwrap()
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

/// The same with `--json`: the document.
async fn document(stack: &Stack, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(stack, &[arguments, &["--json"]].concat()).await).unwrap()
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
    assert_eq!(shown, "de login: 00000000 ist dein Code für Example, gültig <1 min.\n\n@app.example.com #00000000\n");
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
        &["off", "register", "--why", "x"],
        &["off", "register", "--by", "Jane"],
        &["off", "register", "--by", " ", "--why", "x"],
        &["off", "register", "--by", "Jane", "--why", "", "--json"],
        &["user", "disable", PHONE, "--why", "x"],
        &["spend", "--config", "BUDGET=5"],
        &["conversion", "--phone", "nobody"],
        &["audit", "--config", "TEST_NUMBERS=+14155550123"],
        &["max-exposure", "--config", "BUDGET=5"],
        &["max-exposure", "--config", "NOTHING=5"],
        &["nothing"],
    ] {
        let output = otpost(&stack, arguments).await;
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: errors are on standard error");
    }
    assert!(stack.app.store.controls.kill_switches().await.unwrap().changes.is_empty());
    assert!(stack.app.store.controls.audit_log().await.unwrap().is_empty());
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
    assert!(text.contains("No message for a registration in US fits"), "{text}");
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
    let log = stack.app.store.controls.audit_log().await.unwrap();
    assert!(log.iter().all(|entry| entry.target.as_ref() == Some(&id)), "{log:?}");
    let actions: Vec<_> = log.iter().rev().map(|entry| entry.action.as_str()).collect();
    let made = ["role add Editor", "role add RestUser", "role remove Editor", "sign-out", "release-email"];
    assert_eq!(actions[..5], made, "each change is recorded, also one that then failed");
    assert_eq!(actions[5..], ["release-email", "delete"]);
}

/// Registers a user with the code that was sent.
async fn verify(stack: &Stack, phone: &str) {
    let url = format!("{}/api/users/register", stack.config.url);
    let call = async |body: Value| {
        let request = local::http_client().unwrap().post(&url).body(body.to_string());
        let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        stack.settle().await;
        answer
    };
    let started = call(json!({ "phoneNumber": phone })).await;
    let code: String = stack.simulator.messages(Some(phone))[0].text.chars().take(6).collect();
    let email = format!("{}@example.com", &phone[1..]);
    let body = json!({
        "phoneNumber": phone, "email": email, "password": "correct horse battery",
        "transactionId": started["transactionId"], "transactionCode": code,
    });
    assert!(call(body).await["objectId"].is_string());
}

async fn spent(stack: &Stack) -> SpendReport {
    let (settings, now) = (&stack.app.settings, stack.clock.now());
    spend(&stack.app.store, &settings.spend, &settings.messages, now).await.unwrap()
}

/// Hour, day and month of a budget: spent, left, and left for registrations, in US$.
fn amounts(report: &BudgetReport) -> Vec<[String; 3]> {
    let text = |amount: Option<otpost::Usd>| amount.map_or_else(String::new, |amount| amount.to_string());
    report
        .windows
        .iter()
        .map(|window| [Some(window.spent), Some(window.left), window.registrations_left].map(text))
        .collect()
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn what_is_spent_of_each_budget_is_the_sum_of_all_shards() {
    let settings = [
        ("SMS_COUNTRIES", "US,GB"),
        ("SMS_PRICES", "US=0.01,GB=0.1,*=1"),
        ("BUDGET", "1/2/4"),
        ("COUNTRY_BUDGETS", "GB=0.5/0/2"),
        ("PUMPING_MODE", "monitor"),
    ];
    let stack = start_at(Pace::Stands, &settings).await;
    let nothing = spent(&stack).await;
    let scopes = |report: &SpendReport| report.codes.iter().map(|budget| budget.scope.clone()).collect::<Vec<_>>();
    assert_eq!((scopes(&nothing), nothing.hours.len()), (vec!["all".to_owned(), "GB".to_owned()], 0));
    assert_eq!(nothing.codes[1].windows[1].percent, None, "of nothing");
    for line in 1..=7 {
        assert_eq!(register(&stack, &format!("+1415555010{line}")).await, 200);
    }
    assert_eq!(register(&stack, "+447700900101").await, 503, "its budget of the day is nothing");
    stack.settle().await;
    let report = spent(&stack).await;
    assert_eq!(scopes(&report), ["all", "GB", "US"]);
    let all = [["0.07", "0.93", "0.73"], ["0.07", "1.93", "1.53"], ["0.07", "3.93", "3.13"]];
    for scope in [0, 2] {
        assert_eq!(amounts(&report.codes[scope]), all);
        assert_eq!(report.codes[scope].is_own, scope == 0, "a country without a budget of its own has that of all");
    }
    assert_eq!(report.codes[0].windows[0].percent, Some(7));
    let rows: Vec<_> = report.hours.iter().map(|row| (row.country.as_str(), row.messages, row.stopped)).collect();
    assert_eq!(rows, [("GB", 0, 1), ("US", 7, 0)]);
    assert_eq!((report.hours[1].segments, report.hours[1].cost.to_string()), (7, "0.07".to_owned()));
    let ends = report.codes[0].windows.iter().map(|window| window.ends.0);
    let now = stack.clock.now();
    assert_eq!(ends.take(2).collect::<Vec<_>>(), [now.plus(HOUR), now.plus(24 * HOUR)], "the clock stands at midnight");
}

#[tokio::test]
async fn an_hour_s_spending_ends_with_it_and_a_day_later_the_log_s_hours_do() {
    let stack = start_at(Pace::Stands, &[("BUDGET", "1/2/4"), ("SMS_PRICES", "*=0.01")]).await;
    register(&stack, PHONE).await;
    let begin = stack.clock.now();
    let spent_now = async || {
        let report = spent(&stack).await;
        let spent = amounts(&report.codes[0]).into_iter().take(2).map(|[spent, ..]| spent).collect::<Vec<_>>();
        (spent, report.hours.iter().map(|row| row.hour.0).collect::<Vec<_>>())
    };
    let own = |hour: &str, day: &str| vec![hour.to_owned(), day.to_owned()];
    assert_eq!(spent_now().await, (own("0.01", "0.01"), vec![begin]));
    stack.clock.advance(HOUR);
    assert_eq!(spent_now().await, (own("0.00", "0.01"), vec![begin]));
    stack.clock.advance(22 * HOUR);
    assert_eq!(spent_now().await, (own("0.00", "0.01"), vec![begin]));
    stack.clock.advance(HOUR);
    assert_eq!(spent_now().await, (own("0.00", "0.00"), vec![]));
}

#[tokio::test]
async fn spending_is_printed_with_what_it_is_based_on() {
    let stack = start_at(Pace::Stands, &[("BUDGET", "1/2/4"), ("SMS_PRICES", "*=0.01")]).await;
    register(&stack, PHONE).await;
    let url = format!("{}/api/services/Plivo/sendMessage", stack.config.url);
    let message = local::http_client().unwrap().post(url).bearer_auth(local::MESSAGE_KEY);
    let body = json!({ "phoneNumber": PHONE, "message": "Hello" }).to_string();
    assert_eq!(message.body(body).send().await.unwrap().status(), 200);
    stack.settle().await;
    let text = printed(&stack, &["spend"]).await;
    for line in [
        r"all +hour +0\.01 +1\.00 +0\.99 +0\.79 +1  20",
        r"US +month +0\.01 .*\(the budget of all\)",
        r"messages +day +0\.01 +100\.00",
    ] {
        assert!(Regex::new(line).unwrap().is_match(&text), "{line} is not in:\n{text}");
    }
    assert!(text.contains("From the counters") && text.contains("From the decision log"), "{text}");
    assert!(!text.contains("555010"), "it names nobody: {text}");
    let json = document(&stack, &["spend"]).await;
    assert_eq!(json["codes"][0]["windows"][0]["spent"], json!(0.01));
    assert_eq!(json["messages"]["windows"][2]["registrations_left"], Value::Null);
    assert_eq!((&json["hours"][0]["messages"], &json["hours"][0]["cost"]), (&json!(1), &json!(0.01)));
    for text in [&json["budgets_from"], &json["hours_from"]] {
        assert!(text.as_str().is_some_and(|text| !text.is_empty()));
    }
}

/// How registrations have been doing: by country, and by prefix.
async fn converted(stack: &Stack) -> [Vec<Conversion>; 2] {
    let known = [].into();
    let report = conversion(&stack.app.store, &stack.app.settings.spend, &known, stack.clock.now()).await.unwrap();
    [report.countries, report.prefixes]
}

#[tokio::test]
async fn a_block_costs_the_users_who_are_usual_and_a_suspension_shows() {
    let stack = start_at(Pace::Stands, &[("PUMPING_PREFIX", "5/1/50"), ("PUMPING_COUNTRY", "5/1/50")]).await;
    assert_eq!(converted(&stack).await.map(|rows| rows.len()), [0, 0]);
    verify(&stack, "+14155550101").await;
    verify(&stack, "+14155550102").await;
    let [countries, prefixes] = converted(&stack).await;
    for rows in [&countries, &prefixes] {
        let [row] = &rows[..] else { unreachable!("{rows:?}") };
        assert_eq!((row.country.as_deref(), row.kind), (Some("US"), "register"));
        assert_eq!((row.messages, row.verified, row.percent, row.day_messages), (2, 2, Some(100), 2));
        assert_eq!((row.suspension, row.kept_out_per_hour), (Suspension::No, 0.0));
    }
    stack.clock.advance(2 * HOUR);
    for line in 3..=9 {
        register(&stack, &format!("+1415555010{line}")).await;
    }
    let [countries, prefixes] = converted(&stack).await;
    assert_eq!((countries[0].messages, countries[0].suspension), (5, Suspension::Suspected), "it is only monitored");
    let row = &prefixes[0];
    // The two later starts count for the prefix, and send nothing.
    assert_eq!((row.messages, row.percent, row.suspension), (7, Some(0), Suspension::Suspended));
    assert_eq!((row.day_messages, row.day_stopped), (7, 2));
    for row in [&countries[0], row] {
        // Two in one hour and none in the next: a 24th of two, less a 24th.
        assert!((0.078..=0.080).contains(&row.kept_out_per_hour), "{row:?}");
    }
}

#[tokio::test]
async fn a_prefix_is_a_hash_but_for_who_has_a_number_of_it() {
    let stack = start_at(Pace::Stands, &[]).await;
    user(&stack, "jane@example.com").await;
    let hidden = printed(&stack, &["conversion"]).await;
    assert!(
        !hidden.contains("415555") && Regex::new("US [0-9a-f]{16} +register").unwrap().is_match(&hidden),
        "{hidden}"
    );
    let shown = printed(&stack, &["conversion", "--phone", "+14155550999", "--phone", "+12125550100"]).await;
    assert!(Regex::new(r"US [0-9a-f]{16} \+1415555 +register +1 +1 +100").unwrap().is_match(&shown), "{shown}");
    assert!(Regex::new(r"(?m)^[0-9a-f]{16} \+1212555 +login +0 +0 +- no").unwrap().is_match(&shown), "{shown}");
    let json = document(&stack, &["conversion", "--phone", PHONE]).await;
    let rows = json["prefixes"].as_array().unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| (&row["digits"], &row["kind"], &row["verified"])).collect();
    let digits = json!("+1415555");
    assert!(kinds.contains(&(&digits, &json!("login"), &json!(1))), "{json}");
    assert_eq!(json["countries"][0]["suspension"], "no");
}

#[tokio::test]
async fn all_changes_are_in_one_log_below_the_test_numbers() {
    let numbers = "+14155550190=246810@2099-12-31,+14155550191=135791@2020-01-01";
    let stack = start(&[("TEST_NUMBERS", numbers)]).await;
    let (id, _) = user(&stack, "jane@example.com").await;
    // From before kill switches were in the log.
    let controls = &stack.app.store.controls;
    let (by, name, why) = ("Joe".to_owned(), "mms".to_owned(), "old".to_owned());
    let old =
        KillSwitchChange { at: shared::clock::Timestamp::from_millis(1_700_000_000_000), by, name, off: true, why };
    controls.switch(&shared::spend::kill_switch::KillSwitch::parse("mms").unwrap(), old).await.unwrap();
    printed(&stack, &["off", "DE", "--by", "Jane", "--why", "an attack"]).await;
    printed(&stack, &["user", "disable", PHONE, "--by", "Ann", "--why", "abuse", "--json"]).await;
    let text = printed(&stack, &["audit"]).await;
    assert!(
        text.starts_with("Test numbers, whose codes are fixed:\n  +14155550190 until 2100-01-01T00:00:00Z\n"),
        "{text}"
    );
    assert!(text.contains("+14155550191 ended 2020-01-02T00:00:00Z") && !text.contains("246810"), "{text}");
    let changes: Vec<_> = text.lines().skip_while(|line| !line.starts_with("Changes")).skip(1).collect();
    let ends = [
        format!("Z: disable {id}, by Ann: abuse"),
        "Z: off DE, by Jane: an attack".into(),
        "Z: off mms, by Joe: old".into(),
    ];
    assert_eq!(changes.len(), 3, "{text}");
    for (line, end) in changes.iter().zip(&ends) {
        assert!(line.ends_with(end.as_str()), "{line}");
    }
    let json = document(&stack, &["audit"]).await;
    assert_eq!(
        json["test_numbers"][1],
        json!({ "phone": "+14155550191", "ends": "2020-01-02T00:00:00Z", "has_ended": true })
    );
    let old = json!({
        "at": "2023-11-14T22:13:20Z", "action": "off mms", "target": null, "by": "Joe", "arn": null, "why": "old",
    });
    assert_eq!(json["changes"][2], old);
}

/// An STS that knows one caller, or refuses. Returns its URL.
async fn sts(arn: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (status, body) = match arn {
        Some(arn) => {
            let result = format!(
                "<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>A</UserId><Account>1</Account></GetCallerIdentityResult>"
            );
            let xmlns = "https://sts.amazonaws.com/doc/2011-06-15/";
            ("200 OK", format!("<GetCallerIdentityResponse xmlns=\"{xmlns}\">{result}</GetCallerIdentityResponse>"))
        }
        None => ("403 Forbidden", "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>".to_owned()),
    };
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&request).contains("Action=GetCallerIdentity") {
                let length = connection.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..length]);
            }
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            connection.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_change_has_the_caller_s_arn_where_aws_says_it_and_is_made_where_not() {
    const ARN: &str = "arn:aws:sts::123456789012:assumed-role/Admin/jane";
    let stack = start(&[]).await;
    let change = ["off", "DE", "--by", "Jane", "--why", "an attack"];
    for (arn, is_quiet) in [(Some(ARN), true), (None, false)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_otpost"));
        command.env_clear().envs(&stack.settings).env("AWS_ENDPOINT_URL_STS", sts(arn).await).args(change);
        let output = command.output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && error.is_empty() == is_quiet, "{error}");
        assert!(is_quiet || error.contains("without your ARN") && error.contains("ExpiredToken"), "{error}");
    }
    let log = stack.app.store.controls.audit_log().await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.arn.as_deref()).collect::<Vec<_>>(), [None, Some(ARN)]);
    assert!(printed(&stack, &["audit"]).await.contains(&format!("off DE, by Jane ({ARN}): an attack")));
}

#[tokio::test]
async fn the_help_lists_all_that_can_be_switched_off() {
    let output = Command::new(env!("CARGO_BIN_EXE_otpost")).args(["off", "--help"]).output().await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for name in Flow::ALL.map(Flow::as_str).into_iter().chain([MESSAGE, SMS, MMS, VOICE]) {
        assert!(Regex::new(&format!(r"\b{name}\b")).unwrap().is_match(&help), "{name}: {help}");
    }
}

#[tokio::test]
async fn what_a_phone_has_agreed_to_is_recorded_shown_and_exported_and_its_texts_end_with_the_user() {
    let stack = start(&[]).await;
    let (id, _) = user(&stack, "jane@example.com").await;
    let too_long = "a".repeat(501);
    for arguments in [
        &[PHONE, "--text", "", "--source", "form", "--by", "Jane", "--why", "asked"][..],
        &[PHONE, "--text", &too_long, "--source", "form", "--by", "Jane", "--why", "asked"],
        &[PHONE, "--text", "Text me.", "--source", "", "--by", "Jane", "--why", "asked"],
        &["joe@example.com", "--text", "Text me.", "--source", "form", "--by", "Jane", "--why", "asked"],
        &["+1", "--text", "Text me.", "--source", "form", "--by", "Jane", "--why", "asked"],
        &[PHONE, "--text", "Text me.", "--source", "form", "--by", "Jane"],
        &[PHONE, "--text", "Text me.", "--source", "form", "--why", "asked"],
    ] {
        assert!(!otpost(&stack, &[&["consent", "add"], arguments].concat()).await.status.success(), "{arguments:?}");
    }
    assert!(!otpost(&stack, &["consent", "show", "nobody"]).await.status.success());
    assert_eq!(printed(&stack, &["consent", "export"]).await, "");
    for who in [PHONE, "jane@example.com"] {
        let stated = ["--by", "Jane", "--why", "a form of May"];
        let add = ["consent", "add", who, "--text", "Text\nme.", "--source", "form"];
        let text = printed(&stack, &[&add[..], &stated].concat()).await;
        assert!(text.starts_with(&format!("{PHONE} has not opted out of messages\n  20")), "{text}");
        assert!(text.ends_with("Z: consent, form: Text me.\n"), "{text}");
    }
    let shown = document(&stack, &["consent", "show", &id]).await;
    assert_eq!(
        (&shown["phone"], &shown["optedOut"], shown["records"].as_array().unwrap().len()),
        (&json!(PHONE), &Value::Null, 2)
    );
    let record = &shown["records"][0];
    assert!(
        record["at"].as_str().unwrap().ends_with('Z') && record["text"] == "Text\nme." && record["source"] == "form"
    );
    let line: Value = serde_json::from_str(&printed(&stack, &["consent", "export"]).await).unwrap();
    assert_eq!(line["records"], shown["records"]);
    assert!(Regex::new("^[0-9a-f]{16}$").unwrap().is_match(line["phone"].as_str().unwrap()), "{line}");
    let log = stack.app.store.controls.audit_log().await.unwrap();
    let is_stated = |entry: &AuditEntry| {
        (entry.action.as_str(), entry.by.as_str(), entry.why.as_str()) == ("consent add", "Jane", "a form of May")
    };
    assert!(log.len() == 2 && log.iter().all(is_stated), "{log:?}");
    printed(&stack, &["user", "delete", PHONE, "--by", "Jane", "--why", "asked"]).await;
    let shown = printed(&stack, &["consent", "show", PHONE]).await;
    assert!(shown.contains("form: (text removed)") && !shown.contains("Text me"), "{shown}");
}

#[tokio::test]
async fn every_command_prints_one_document_with_iso_times() {
    let stack = start(&[]).await;
    let (id, _) = user(&stack, "jane@example.com").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"de": {"login": "{code} ist dein Code für {app}, gültig {life}."}}"#).unwrap();
    let iso = Regex::new(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$").unwrap();
    let is_iso = |value: &Value| value.as_str().is_some_and(|time| iso.is_match(time));
    let by = ["--by", "Jane", "--why", "asked"];
    let change = |arguments: &[&'static str]| [arguments, &by].concat();

    let off = document(&stack, &change(&["off", "DE"])).await;
    assert_eq!((&off["off"], &off["changes"][0]["off"]), (&json!(["DE"]), &json!(true)));
    let on = document(&stack, &change(&["on", "DE"])).await;
    assert_eq!(document(&stack, &["kill-switches"]).await, on);
    assert!(is_iso(&on["changes"][0]["at"]) && on["changes"][0]["why"] == "asked", "the newest first: {on}");
    let found = document(&stack, &["user", "find", PHONE]).await;
    assert_eq!((&found["objectId"], &found["sessions"], &found["roles"]), (&json!(id), &json!(1), &json!([])));
    assert!(is_iso(&found["created"]) && is_iso(&found["lastLogin"]), "{found}");
    let changed = document(&stack, &change(&["user", "add-role", PHONE, "Editor"])).await;
    assert_eq!(changed["roles"], json!(["Editor"]));
    let deleted = document(&stack, &change(&["user", "delete", PHONE])).await;
    assert_eq!(deleted, json!({ "objectId": id, "deleted": true }));
    let exposure = document(&stack, &["max-exposure"]).await;
    let hour = json!({ "window": "hour", "most": 5.0, "messages": 649, "unconfirmed": 4.0, "in_any_window": 10.0 });
    assert_eq!((&exposure["codes"][0], &exposure["countries"]), (&hour, &json!(["CA", "US"])));
    let replay = document(&stack, &["replay", "--config", "BUDGET=0/0/0"]).await;
    assert_eq!((&replay["decisions"], &replay["different"]), (&json!(2), &json!(2)));
    assert!(is_iso(&replay["first"][0]["at"]) && replay["first"][0]["would_be"] == "refuse (budget)", "{replay}");
    let lint = document(&stack, &["lint", file.path().to_str().unwrap()]).await;
    assert_eq!(lint["texts"][0]["name"], "de login");
    assert!(is_iso(&document(&stack, &["spend"]).await["at"]));
    assert!(is_iso(&document(&stack, &["conversion"]).await["at"]));
    assert!(is_iso(&document(&stack, &["audit"]).await["changes"][0]["at"]));
}

/// Plivo reports only what a test says.
const NO_REPORTS: (&str, &str) = ("PLIVO_CALLBACK_URL", "http://127.0.0.1:9");

async fn post(stack: &Stack, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/{path}", stack.config.url);
    let answer = local::http_client().unwrap().post(url).body(body.to_string()).send().await.unwrap();
    let (status, bytes) = (answer.status().as_u16(), answer.bytes().await.unwrap());
    stack.settle().await;
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn login(stack: &Stack, phone: &str) -> (u16, Value) {
    post(stack, "services/Plivo/loginWithPhoneNumber", &json!(phone)).await
}

/// Enters a code, or a wrong one.
async fn enter(stack: &Stack, started: &Value, code: Option<&str>) -> u16 {
    let body = json!({ "transactionId": started["transactionId"], "code": code.unwrap_or("000000") });
    post(stack, "services/Plivo/loginWithCode", &body).await.0
}

fn sent_code(stack: &Stack, phone: &str) -> String {
    stack.simulator.messages(Some(phone))[0].text.chars().take_while(char::is_ascii_digit).collect()
}

/// Plivo reports about the phone's last message.
async fn report(stack: &Stack, phone: &str, state: DeliveryState, error: Option<&str>) {
    let now = stack.clock.now();
    let keys = stack.app.secrets.keys(now).await.unwrap();
    let (key, phones) = (PhoneKey(keys.phone(phone).short()), &stack.app.store.phones);
    let record = phones.get(key).await.unwrap();
    let (send, _) = record.sends.iter().max_by_key(|(_, send)| send.at).unwrap();
    let (uuid, error) = ("3e1f".to_owned(), error.map(str::to_owned));
    let content = Part { uuid, state, sequence: 100, error, carrier: None, at: now };
    phones.record_report(key, send, &Report { part: (1, 1), content }).await.unwrap().unwrap();
}

/// What is told of somebody at the stack's time.
async fn told(stack: &Stack, who: &str) -> WhyReport {
    let now = stack.clock.now();
    let keys = stack.app.secrets.keys(now).await.unwrap();
    let rules = Rules::of(&|name| stack.settings.get(name).cloned()).unwrap();
    why(&stack.app.store, &keys, &rules, who, now).await.unwrap()
}

/// Flow and text of each line of the story of a phone.
fn texts(report: &WhyReport) -> Vec<String> {
    let line = |line: &Line| format!("{}: {}", line.flow.unwrap_or("-"), line.text);
    report.stories[0].lines.iter().map(line).collect()
}

fn names(holdups: &[Holdup]) -> Vec<&str> {
    holdups.iter().map(|holdup| holdup.name.as_str()).collect()
}

#[tokio::test]
async fn why_is_told_of_a_phone_without_a_user_and_of_nobody_else() {
    let stack = start(&[NO_REPORTS]).await;
    for who in ["+1", "no id", "05B7783C-430E-7891-EBD1-17375DFED31B"] {
        let output = otpost(&stack, &["why", who]).await;
        assert!(!output.status.success() && !output.stderr.is_empty(), "{who}");
    }
    assert!(!otpost(&stack, &["unblock", PHONE]).await.status.success(), "without --by and --why");
    let text = printed(&stack, &["why", PHONE]).await;
    assert!(text.starts_with(PHONE) && text.contains("No user") && text.contains("Nothing has happened"), "{text}");
    login(&stack, PHONE).await;
    let text = printed(&stack, &["why", PHONE]).await;
    assert!(text.contains("login: started, and nothing was sent: no user has this phone [network "), "{text}");
    let unknown = document(&stack, &["why", "nobody@example.com"]).await;
    assert_eq!((&unknown["phone"], &unknown["user"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_story_has_starts_codes_and_sessions_and_the_same_by_phone_address_and_id() {
    let stack = start_at(Pace::Stands, &[NO_REPORTS]).await;
    let (id, _) = user(&stack, "jane@example.com").await;
    stack.clock.advance(Duration::from_secs(86_400));
    let (_, started) = login(&stack, PHONE).await;
    stack.clock.advance(Duration::from_secs(3));
    report(&stack, PHONE, DeliveryState::Delivered, None).await;
    assert_eq!(login(&stack, PHONE).await.0, 429);
    assert_eq!(enter(&stack, &started, None).await, 401);
    assert_eq!(enter(&stack, &started, Some(&sent_code(&stack, PHONE))).await, 200);
    let report = told(&stack, PHONE).await;
    let since = texts(&report).len() - 6;
    assert_eq!(
        texts(&report)[since..],
        [
            "login: started, and an SMS was to go out",
            "login: refused: too soon after the last start",
            "login: a wrong code was entered (1 of 5)",
            "login: the right code was entered",
            "login: logged in, a session began",
            "login: the SMS was delivered, 3 s after the start, by Plivo's report (3e1f).",
        ]
    );
    assert_eq!(report.user.as_ref().map(|user| user.object_id.as_str()), Some(id.as_str()));
    for who in [id.as_str(), "jane@example.com"] {
        let other = told(&stack, who).await;
        assert_eq!((texts(&other), other.stories[1].of), (texts(&report), "email"), "{who}");
    }
}

#[tokio::test]
async fn a_story_says_that_a_code_failed_expired_or_was_refused_by_the_carrier() {
    let stack = start_at(Pace::Stands, &[NO_REPORTS]).await;
    assert_eq!(register(&stack, PHONE).await, 200);
    assert_eq!(texts(&told(&stack, PHONE).await)[1], "register: Plivo has reported nothing about an SMS");
    report(&stack, PHONE, DeliveryState::Undelivered, Some("80")).await;
    stack.clock.advance(Duration::from_secs(300));
    assert_eq!(
        texts(&told(&stack, PHONE).await)[1..],
        [
            "register: the SMS was not delivered, 0 s after the start, by Plivo's report (3e1f). The phone could not be reached. \
             It may be switched off or out of coverage. (error 80)",
            "register: the code expired, and was not entered right"
        ]
    );
    let other = "+14155550102";
    assert_eq!(register(&stack, other).await, 200);
    report(&stack, other, DeliveryState::Undelivered, Some("200")).await;
    assert!(texts(&told(&stack, other).await)[1].contains("has opted out of messages from this sender. (error 200)"));
}

#[tokio::test]
async fn a_story_says_why_nothing_was_sent_and_what_holds_up_everybody() {
    let stack = start_at(Pace::Stands, &[NO_REPORTS]).await;
    user(&stack, "jane@example.com").await;
    printed(&stack, &["user", "disable", PHONE, "--by", "Jane", "--why", "asked"]).await;
    stack.clock.advance(Duration::from_secs(60));
    login(&stack, PHONE).await;
    let report = told(&stack, PHONE).await;
    let last = texts(&report).pop().unwrap();
    assert_eq!(last, "login: started, and nothing was sent: the user is disabled");
    assert_eq!(report.service, []);
    printed(&stack, &["off", "login", "--by", "Jane", "--why", "an attack"]).await;
    stack.clock.advance(Duration::from_secs(60));
    let off = Holdup { name: "kill switch login".to_owned(), who: "login".to_owned(), until: None };
    assert_eq!(told(&stack, PHONE).await.service, [off]);
    let stack = start_at(Pace::Stands, &[NO_REPORTS, ("BUDGET", "0/0/0"), ("SMS_COUNTRIES", "US")]).await;
    assert_eq!(login(&stack, PHONE).await.0, 503);
    let report = told(&stack, PHONE).await;
    assert_eq!(texts(&report), ["login: refused: the budget is spent"]);
    assert_eq!(names(&report.service), ["budget"]);
    assert!(report.service[0].until.is_some() && report.service[0].who.contains("register, login"));
    assert_eq!(names(&told(&stack, "+4915112345678").await.service), ["country_not_served", "budget"]);
}

#[tokio::test]
async fn the_limits_in_force_end_when_the_report_says_or_by_an_unblock_that_is_in_the_audit_log() {
    let stack = start_at(Pace::Stands, &[NO_REPORTS]).await;
    user(&stack, "jane@example.com").await;
    printed(&stack, &["off", "DE", "--by", "Jane", "--why", "an attack"]).await;
    stack.clock.advance(Duration::from_secs(86_400));
    for _ in 0..5 {
        let (status, started) = login(&stack, PHONE).await;
        assert_eq!(status, 200);
        for _ in 0..5 {
            assert_eq!(enter(&stack, &started, None).await, 401);
        }
        stack.clock.advance(Duration::from_secs(2000));
    }
    let report = told(&stack, PHONE).await;
    assert_eq!(names(&report.stories[0].holdups), ["wrong_codes"]);
    let until = report.stories[0].holdups[0].until.unwrap().0;
    assert_eq!(login(&stack, PHONE).await.0, 429);
    assert_eq!(report.service, [], "Germany's kill switch is not this phone's");
    let now = stack.clock.now();
    stack.clock.advance(now.until(until) - Duration::from_secs(1));
    assert_eq!(names(&told(&stack, PHONE).await.stories[0].holdups), ["wrong_codes"]);
    assert_eq!(login(&stack, PHONE).await.0, 429);
    let keys = stack.app.secrets.keys(now).await.unwrap();
    let (key, author) = (PhoneKey(keys.phone(PHONE).short()), Author::new("Jane", "the owner asked", None).unwrap());
    let before = stack.app.store.phones.get(key).await.unwrap();
    let country = Country::parse("US").unwrap();
    unblock(&stack.app.store, &keys, country, PHONE, &author, stack.clock.now()).await.unwrap();
    assert_eq!(told(&stack, PHONE).await.stories[0].holdups, []);
    assert_eq!(login(&stack, PHONE).await.0, 200);
    let after = stack.app.store.phones.get(key).await.unwrap();
    assert_eq!(after.devices, before.devices);
    let text = printed(&stack, &["audit"]).await;
    assert!(Regex::new("unblock [0-9A-F-]{36}, by Jane: the owner asked").unwrap().is_match(&text), "{text}");
    let text = printed(&stack, &["unblock", PHONE, "--by", "Jane", "--why", "again"]).await;
    assert!(text.contains("Limits of this phone: nothing in force"), "{text}");
}
