//! The decision log: each decision of a start is kept for 30 days, with its inputs, and names nobody.

use local::Options;
use shared::auth::password::Cost;
use shared::spend::price::Money;
use shared::spend::pumping::{Outcome, Rule};
use shared::store::DecisionLogEntry;

use crate::support::{PASSWORD, TestApp};

const PHONE: &str = "+14155550101";

async fn decisions(app: &TestApp) -> Vec<DecisionLogEntry> {
    let items = app.dump().await.into_iter().filter(|(table, _)| *table == "decisions");
    let mut records: Vec<_> = items
        .map(|(_, item)| {
            let item: serde_dynamo::Item = serde_json::from_value(item).unwrap();
            DecisionLogEntry::from_item(item.into()).unwrap()
        })
        .collect();
    records.sort_by_key(|record| record.inputs.at);
    records
}

#[tokio::test]
async fn each_start_that_got_past_its_limits_leaves_one() {
    let app = TestApp::options(Options { password_cost: Cost::LEAST, ..Options::default() }).await;
    app.register(PHONE, "jane@example.com").await;
    app.login_start(PHONE).await.ok();
    app.login_start(PHONE).await.limited("too_many_messages");
    app.advance(31);
    app.password_start(PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
    app.password_start(PHONE, PASSWORD).await.ok();
    app.advance(1);
    app.login_start("+14155550102").await.ok();
    let records = decisions(&app).await;
    let flows: Vec<_> = records.iter().map(|record| (record.inputs.flow.as_str(), record.sent)).collect();
    assert_eq!(flows, [("register", true), ("login", true), ("second_factor", true), ("login", false)]);
    assert!(records.iter().all(|record| record.decision.outcome == Outcome::Send && record.decision.rule.is_none()));
    let last = records.last().unwrap();
    let spent: Money = last.inputs.shards.iter().map(|shard| shard.all.hour).sum();
    assert_eq!((last.inputs.shards.len(), spent.to_string()), (4, "0.0231".to_owned()), "three messages before it");
    assert_eq!((last.inputs.prefix_volume.sends, last.inputs.prefix_volume.verified), (2, 0), "of logins");
    assert_eq!(last.inputs.country, "US");
    let text = format!("{records:?}");
    assert!(!text.contains("5550101") && !text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn a_refused_message_leaves_its_rule() {
    let app = TestApp::with(&[("PUMPING_PREFIX", "2/0/50"), ("PUMPING_MODE", "refuse")]).await;
    for line in 1..4 {
        app.register_start(&format!("+1415555010{line}")).await;
    }
    let records = decisions(&app).await;
    let refused: Vec<_> = records.iter().filter(|record| record.decision.rule.is_some()).collect();
    assert_eq!((records.len(), refused.len()), (3, 1));
    let decision = refused[0].decision;
    assert_eq!((decision.outcome, decision.rule), (Outcome::Refuse, Some(Rule::PrefixPumping)));
    assert!(!refused[0].sent);
}
