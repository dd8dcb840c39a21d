//! The metrics of a deployed stack, from CloudWatch: one call for all. AWS charges for each value of each dimension that it finds, with the
//! overview open some cents an hour (`docs/console.md`).

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricDataQuery, MetricDataResult};
use shared::aws::AwsError;
use shared::clock::Timestamp;
use shared::logging::chain;
use shared::spend::counter::hour_of;

use super::figures::{Counted, Counts, HOURS};

/// An hour, in seconds.
const HOUR: i32 = 3600;

/// The metrics that the overview shows, each with the dimension by which it is counted.
pub const SHOWN: [(&str, &str); 6] = [
    ("Sent", "Flow"),
    ("Delivered", "Country"),
    ("Undelivered", "Country"),
    ("Verified", "Flow"),
    ("NotSent", "Reason"),
    ("Refused", "Reason"),
];

/// What stands in this namespace, like `Otpost/otpost`.
pub fn counts(client: Client, namespace: String) -> Counts {
    Counts::from_fn(move |now| {
        let (client, namespace) = (client.clone(), namespace.clone());
        Box::pin(async move {
            let read = read(&client, &namespace, now).await;
            read.map_err(|error| format!("CloudWatch does not say what was counted: {}", chain(&error)))
        })
    })
}

async fn read(client: &Client, namespace: &str, now: Timestamp) -> Result<Counted, AwsError> {
    let first = (hour_of(now) - HOURS + 1) * i64::from(HOUR);
    let call = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries(namespace)))
        .start_time(DateTime::from_secs(first))
        .end_time(DateTime::from_millis(now.as_millis()));
    let mut pages = call.into_paginator().send();
    let mut counted = Counted::default();
    while let Some(page) = pages.next().await {
        for result in page?.metric_data_results() {
            add(&mut counted, result);
        }
    }
    Ok(counted)
}

/// A search for each metric by all values of its dimension, which become the labels.
pub fn queries(namespace: &str) -> Vec<MetricDataQuery> {
    let query = |(place, (name, dimension)): (usize, (&str, &str))| {
        let search = format!("SEARCH('{{\"{namespace}\",{dimension}}} MetricName=\"{name}\"', 'Sum', {HOUR})");
        let label = format!("${{PROP('Dim.{dimension}')}}");
        MetricDataQuery::builder().id(format!("m{place}")).expression(search).label(label).build()
    };
    SHOWN.into_iter().enumerate().map(query).collect()
}

/// Adds what CloudWatch found for one value of a dimension.
pub fn add(counted: &mut Counted, result: &MetricDataResult) {
    let place = result.id().and_then(|id| id.strip_prefix('m')).and_then(|place| place.parse::<usize>().ok());
    let Some((name, _)) = place.and_then(|place| SHOWN.get(place)) else { return };
    for (at, sum) in result.timestamps().iter().zip(result.values()) {
        let at = Timestamp::from_millis(at.to_millis().unwrap_or_default());
        // A sum of counts is whole and not negative.
        counted.add(at, name, result.label().unwrap_or_default(), sum.round().max(0.0) as u64);
    }
}
