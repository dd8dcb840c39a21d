//! Whether response times reveal who is a user: the same request for phones whose user has logged in before and for phones that were never
//! used, in mixed order, with a Plivo that takes 50 to 500 ms; and the two-sample test of Kolmogorov and Smirnov on the times. Nothing is
//! asserted, since other work on the machine shows, too.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{StreamExt as _, iter};
use local::clock::Pace;
use local::simulator::Fault;
use local::{Options, Stack};
use reqwest::Client;
use serde_json::{Value, json};
use shared::auth::password::Password;
use shared::crypto::{identifier, random};
use shared::store::{ENABLED, NewUser, Profile};
use statrs::stats_tests::NaNPolicy;
use statrs::stats_tests::ks_test::{KSTwoSampleAlternativeMethod, ks_twosample};
use tokio::time::Instant;

use crate::record::code_in;
use crate::{Effort, Failure, table};

/// Settings with which no rule refuses what one machine asks for.
const UNBOUNDED: [(&str, &str); 4] = [
    ("BUDGET", "1000000/1000000/1000000"),
    ("PUMPING_MODE", "monitor"),
    ("STARTS_PER_ADDRESS", "10000"),
    ("WRONG_CODES_PER_DAY", "1000000"),
];
/// Wrong codes from one address in a day; the limit is 25.
const CODES_PER_ADDRESS: usize = 20;
/// Users, and as many other phones each day.
const PHONES: usize = 200;
/// What Plivo takes.
const PLIVO: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
const LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumber";
const STATUS: &str = "/api/services/Plivo/status/";
const LOGIN_CODE: &str = "/api/services/Plivo/loginWithCode";
const PASSWORD: &str = "correct horse battery";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Past every wait between two messages.
const PAST_ANY_WAIT: Duration = Duration::from_secs(1921);
/// Below this probability, times count as different.
const DIFFERENT: f64 = 0.01;

const COLUMNS: [&str; 7] =
    ["request", "pairs", "with a user, median", "without, median", "statistic", "p", "a shift that would show"];

/// What is measured of a case.
#[derive(Clone, Copy)]
enum Measured {
    /// The request itself.
    Request,
    /// A wrong code for the challenge that it makes.
    WrongCode,
    /// What became of the code of that challenge.
    Status,
}

/// A kind of request.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// `{phone}` and `{email}` are the phone's.
    path: &'static str,
    /// How often a day a phone can be asked.
    a_day: usize,
    /// The first of these, which are not measured.
    before: usize,
    /// The time between two of them.
    wait: Duration,
    /// Requests at once: one by one, those that wait for Plivo would take hours.
    at_once: usize,
    /// `null` is none, and a GET.
    body: fn(&str) -> Value,
    /// What is measured.
    measured: Measured,
    /// The expected status of a measured request; of the others it is 200.
    status: u16,
}

const LOGIN_START: Case = Case {
    name: "loginWithPhoneNumber",
    path: LOGIN,
    a_day: 1,
    before: 0,
    wait: PAST_ANY_WAIT,
    at_once: 1,
    body: |phone| json!(phone),
    measured: Measured::Request,
    status: 200,
};

const RESTORE: Case = Case {
    name: "restorepassword, a phone",
    path: "/api/users/restorepassword/{phone}",
    body: |_| Value::Null,
    ..LOGIN_START
};

const CASES: [Case; 9] = [
    LOGIN_START,
    Case {
        name: "loginWithPhoneNumber, too soon after the last",
        path: LOGIN,
        a_day: 10,
        before: 1,
        wait: Duration::ZERO,
        at_once: 1,
        body: |phone| json!(phone),
        measured: Measured::Request,
        status: 429,
    },
    Case {
        name: "loginWithPhoneNumberAndPassword, wrong password",
        path: "/api/services/Plivo/loginWithPhoneNumberAndPassword",
        a_day: 1,
        before: 0,
        wait: PAST_ANY_WAIT,
        at_once: 1,
        // Another each time, and each user has his own salt: where Argon2id reads its memory depends on both.
        body: |phone| json!({ "phoneNumber": phone, "password": identifier::random() }),
        measured: Measured::Request,
        status: 401,
    },
    Case { name: "loginWithCode, wrong code", measured: Measured::WrongCode, status: 401, ..LOGIN_START },
    Case { name: "status, of a login", measured: Measured::Status, ..LOGIN_START },
    Case {
        name: "users/register, first step",
        path: "/api/users/register",
        a_day: 5,
        before: 0,
        wait: PAST_ANY_WAIT,
        at_once: 16,
        body: |phone| json!({ "phoneNumber": phone }),
        measured: Measured::Request,
        status: 200,
    },
    Case {
        name: "users/register past five, where only users get messages",
        path: "/api/users/register",
        a_day: 10,
        before: 5,
        wait: PAST_ANY_WAIT,
        at_once: 16,
        body: |phone| json!({ "phoneNumber": phone }),
        measured: Measured::Request,
        status: 200,
    },
    RESTORE,
    Case { name: "restorepassword, an e-mail address", path: "/api/users/restorepassword/{email}", ..RESTORE },
];

/// Prints the table.
pub(crate) async fn print(effort: Effort) -> Result<(), Failure> {
    let settings = UNBOUNDED.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let stack = Stack::start(Options { settings, pace: Pace::Stands, ..Options::default() }).await?;
    stack.warm().await;
    let phones = effort.of(PHONES);
    add_users(&stack, phones).await?;
    log_in(&stack, phones).await?;
    let (least, most) = PLIVO;
    stack.simulator.set_fault(Fault::SlowBetween(least, most));
    let (mut rows, mut called) = (Vec::new(), 0);
    for case in CASES {
        stack.clock.advance(2 * DAY);
        rows.push(measure(&stack, case, phones, effort.of(2000), &mut called).await?);
    }
    println!("{}", table::markdown("Times of phones with and without a user", &COLUMNS, &rows));
    Ok(())
}

fn known(number: usize) -> String {
    format!("+1212{:07}", 2_000_000 + number)
}

/// The e-mail address of a phone's user.
fn email(phone: &str) -> String {
    format!("{}@example.com", phone.trim_start_matches('+'))
}

fn unknown(number: usize) -> String {
    format!("+1313{:07}", 2_000_000 + number)
}

async fn add_users(stack: &Stack, count: usize) -> Result<(), Failure> {
    let app = &stack.app;
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    for number in 0..count {
        let password = Password::entered(PASSWORD).hash(&keys, app.password_cost).await?;
        let phone = known(number);
        let profile = Profile {
            phone: phone.clone(),
            email: Some(email(&phone)),
            created: now,
            updated: None,
            last_login: None,
            status: ENABLED.to_owned(),
            locale: "en".to_owned(),
            properties: "{}".to_owned(),
            sessions: [].into(),
            roles: [].into(),
        };
        let (id, owner, identity) = (identifier::random(), keys.phone(&phone), keys.identity(&email(&phone)));
        let user = NewUser {
            id: &id,
            phone: &owner,
            identity: Some(&identity),
            password: Some(&password),
            test: false,
            profile: &profile,
            session: None,
        };
        app.store.users.create(&user).await?;
    }
    Ok(())
}

/// Lets each user log in, since an attacker meets phones with what a login leaves behind.
async fn log_in(stack: &Stack, count: usize) -> Result<(), Failure> {
    let (client, url) = (local::http_client()?, &stack.config.url);
    let post = async |path: &str, body: Value| {
        let answer = client.post(format!("{url}{path}")).json(&body).send().await?.error_for_status()?;
        answer.json::<Value>().await
    };
    for phone in (0..count).map(known) {
        let started = post(LOGIN, json!(phone)).await?;
        stack.settle().await;
        let sent = stack.simulator.messages(Some(&phone));
        let code = code_in(&sent.first().ok_or("no code came")?.text);
        let body = json!({ "transactionId": started["transactionId"], "code": code });
        post(LOGIN_CODE, body).await?;
    }
    Ok(())
}

/// `called` is the number of phones without a user that were used before.
async fn measure(
    stack: &Stack,
    case: Case,
    phones: usize,
    pairs: usize,
    called: &mut usize,
) -> Result<Vec<String>, Failure> {
    let clients = clients((2 * phones).div_ceil(CODES_PER_ADDRESS))?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    while with.len() < pairs {
        for round in 0..case.a_day {
            let expected = if round < case.before { 200 } else { case.status };
            let asked = iter(order(phones)?).enumerate().map(|(place, (is_known, number))| {
                let phone = if is_known { known(number) } else { unknown(*called + number) };
                let client = &clients[place / CODES_PER_ADDRESS];
                async move {
                    let path = case.path.replace("{phone}", &phone).replace("{email}", &email(&phone));
                    let time = match case.measured {
                        Measured::Request => {
                            ask(stack, client, &path, &(case.body)(&phone), expected).await.map(|(time, _)| time)
                        }
                        Measured::WrongCode | Measured::Status => after_a_start(stack, client, case, &phone).await,
                    };
                    time.map(|time| (is_known, time)).map_err(|error| format!("{}: {error}", case.name))
                }
            });
            let times: Vec<_> = asked.buffer_unordered(case.at_once).collect().await;
            for time in times {
                let (is_known, time) = time?;
                if round >= case.before {
                    if is_known { &mut with } else { &mut without }.push(time);
                }
            }
            stack.settle().await;
            stack.clock.advance(case.wait);
        }
        *called += phones;
        stack.clock.advance(DAY);
    }
    row(case.name, with, without)
}

/// All phones of both kinds, in an order that nobody knows.
fn order(phones: usize) -> Result<Vec<(bool, usize)>, Failure> {
    let mut all: Vec<_> = (0..phones).flat_map(|number| [(true, number), (false, number)]).collect();
    for place in (1..all.len()).rev() {
        all.swap(place, usize::try_from(random::below(place as u64 + 1))?);
    }
    Ok(all)
}

/// Starts a login, waits until all that follows it is done, and times what comes after it.
async fn after_a_start(stack: &Stack, client: &Client, case: Case, phone: &str) -> Result<f64, Failure> {
    let (_, started) = ask(stack, client, case.path, &(case.body)(phone), 200).await?;
    stack.settle().await;
    let id = &started["transactionId"];
    let (path, body) = match case.measured {
        Measured::Status => (format!("{STATUS}{}", id.as_str().ok_or("no transactionId")?), Value::Null),
        // Right once in a million times.
        _ => (LOGIN_CODE.to_owned(), json!({ "transactionId": id, "code": "000000" })),
    };
    let (time, _) = ask(stack, client, &path, &body, case.status).await?;
    stack.settle().await;
    Ok(time)
}

/// Microseconds from the request to the whole answer, and the answer.
async fn ask(stack: &Stack, client: &Client, path: &str, body: &Value, expected: u16) -> Result<(f64, Value), Failure> {
    let url = format!("{}{path}", stack.config.url);
    let request = if body.is_null() { client.get(url) } else { client.post(url).json(body) };
    let started = Instant::now();
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    let time = started.elapsed();
    if status != expected {
        return Err(format!("{status} {}", String::from_utf8_lossy(&body)).into());
    }
    Ok((time.as_secs_f64() * 1e6, serde_json::from_slice(&body)?))
}

/// Clients with an address of their own each.
fn clients(count: usize) -> Result<Vec<Client>, Failure> {
    let client = |number: usize| {
        let address = IpAddr::from([127, 0, 1, u8::try_from(number)?]);
        let tls = shared::http_client::tls(&|_| None)?;
        Ok(Client::builder().tls_backend_preconfigured(tls).no_proxy().local_address(address).build()?)
    };
    (1..=count).map(client).collect()
}

fn row(name: &str, mut with: Vec<f64>, mut without: Vec<f64>) -> Result<Vec<String>, Failure> {
    with.sort_unstable_by(f64::total_cmp);
    without.sort_unstable_by(f64::total_cmp);
    let (statistic, p) = compare(&with, &without)?;
    let median = |times: &[f64]| format!("{:.2} ms", times[times.len() / 2] / 1000.0);
    Ok(vec![
        name.to_owned(),
        with.len().to_string(),
        median(&with),
        median(&without),
        format!("{statistic:.4}"),
        format!("{p:.3}"),
        format!("{:.2} ms", visible(&without)? / 1000.0),
    ])
}

fn compare(with: &[f64], without: &[f64]) -> Result<(f64, f64), Failure> {
    let method = KSTwoSampleAlternativeMethod::TwoSidedAsymptotic;
    Ok(ks_twosample(with.to_vec(), without.to_vec(), method, NaNPolicy::Error)?)
}

/// The smallest shift of these times, in microseconds, that the test would detect.
fn visible(times: &[f64]) -> Result<f64, Failure> {
    let mut shift = 1.0;
    loop {
        let shifted: Vec<_> = times.iter().map(|time| time + shift).collect();
        let (_, p) = compare(&shifted, times)?;
        if p < DIFFERENT || shift > 1e7 {
            return Ok(shift);
        }
        shift *= 1.2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_differ_are_told_apart_and_others_are_not() {
        let times = |shift: f64| (0..2000).map(|number| f64::from(number * 7919 % 2000) + shift).collect::<Vec<_>>();
        let (_, same) = compare(&times(0.0), &times(0.5)).unwrap();
        let (_, different) = compare(&times(0.0), &times(150.0)).unwrap();
        assert!(same > 0.5 && different < DIFFERENT, "{same} {different}");
        let visible = visible(&times(0.0)).unwrap();
        assert!((20.0..200.0).contains(&visible), "{visible}");
    }
}
