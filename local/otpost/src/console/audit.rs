//! The audit log: what operators changed, who and why.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;
use shared::aws::AwsError;
use shared::clock::Timestamp;
use shared::store::{Controls, KillSwitchChange};

use super::page::{Notice, View, page, table, time};
use super::{Failure, Shared};

/// The most entries that are shown.
const SHOWN: usize = 200;

/// `GET /audit`.
pub(super) async fn show(State(console): Shared) -> Result<Response, Failure> {
    let operator = &console.operator;
    let table_name = &operator.settings.resources.controls_table;
    let entries = read(&operator.dynamodb, table_name).await?;
    let content = html! {
        p.lead { "What was changed by hand, here or by " code { "otpost" } ", newest first. A change is recorded before it is made." }
        @if entries.is_empty() {
            p.card.soft { "Nothing was changed yet." }
        } @else {
            @let rows = html! { @for entry in entries.iter().take(SHOWN) { (row(&console.path("/people"), entry)) } };
            div.card { (table("Changes, newest first", &["When", "What", "Who", "Why"], &rows)) }
            @if entries.len() > SHOWN { p.fine { "The " (SHOWN) " newest of " (entries.len()) "." } }
        }
    };
    Ok(page(&console, View::Audit, &Notice::None, &content))
}

fn row(people: &str, entry: &Entry) -> Markup {
    html! {
        tr {
            td { (time(entry.at)) }
            td {
                (entry.action)
                @if let Some(user) = &entry.user { " " a href=(format!("{people}/{user}")) { code { (user) } } }
            }
            td { (entry.by) }
            td { (entry.why) }
        }
    }
}

/// An entry of the log.
#[derive(Debug, Deserialize)]
struct Entry {
    at: Timestamp,
    by: String,
    why: String,
    action: String,
    user: Option<String>,
}

/// All entries, newest first.
async fn read(dynamodb: &Client, table: &str) -> Result<Vec<Entry>, Failure> {
    let scan = dynamodb.scan().table_name(table).filter_expression("begins_with(id, :audit)");
    let scan = scan.expression_attribute_values(":audit", AttributeValue::S("audit#".to_owned()));
    let mut pages = scan.into_paginator().items().send();
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|error| Failure::of(&AwsError::from(error)))?;
        entries.push(from_item(item).map_err(|error| Failure::of(&error))?);
    }
    let switches = Controls::of(dynamodb, table).kill_switches().await.map_err(|error| Failure::of(&error))?;
    entries.extend(switches.changes.into_iter().map(|KillSwitchChange { at, by, name, off, why }| Entry {
        at,
        by,
        why,
        action: format!("{name} {}", if off { "off" } else { "on" }),
        user: None,
    }));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    Ok(entries)
}
