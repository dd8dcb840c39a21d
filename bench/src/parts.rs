//! What the time of an operation is made of: the parts that stand in several, each alone.

use phone_number::{Country, PhoneNumber};
use shared::app::App;
use shared::auth::password::Password;
use shared::store::{ClientKey, PhoneKey, Who};

use crate::cpu::Meter;
use crate::operation::Hashing;
use crate::record::Recording;
use crate::replay::Replay;
use crate::times::Samples;
use crate::{Effort, Failure};

const PHONE: &str = "+14155550100";
const PASSWORD: &str = "correct horse battery";

/// Rows for the same columns as the operations'.
pub(crate) async fn measure(
    recording: &Recording,
    replay: &Replay,
    app: &App,
    meter: &Meter,
    effort: Effort,
) -> Result<Vec<Vec<String>>, Failure> {
    let us = Country::parse("US").ok_or("no such country")?;
    let now = app.clock.now();
    let (keys, plivo) = (app.secrets.keys(now).await?, app.secrets.plivo(now).await?);
    let calls: Vec<_> = recording.operations.iter().flat_map(|operation| operation.calls.clone()).collect();
    replay.load(&calls);

    let read = Samples::take(Hashing::None, meter, effort, async || Ok(PhoneNumber::parse(PHONE, us).map(drop)?));
    let chosen = Samples::take(Hashing::None, meter, effort, async || Ok(Password::chosen(PASSWORD).map(drop)?));
    let hash = Samples::take(Hashing::Argon2id, meter, effort, async || {
        Ok(Password::entered(PASSWORD).hash(&keys, app.password_cost).await.map(drop)?)
    });
    let owner = keys.phone(PHONE);
    let who = Who {
        phone: PhoneKey(owner.short()),
        owner: &owner,
        prefix: [0; 8],
        address: ClientKey([0; 8]),
        slices: &[0, 1, 2, 3],
    };
    let storage =
        Samples::take(Hashing::None, meter, effort, async || Ok(app.before_start(who, now).await.map(drop)?));
    let provider = Samples::take(Hashing::None, meter, effort, async || Ok(app.plivo.probe(&plivo).await.map(drop)?));
    Ok(vec![
        read.await?.row("a phone number is read"),
        chosen.await?.row("a chosen password is checked"),
        hash.await?.row("Argon2id"),
        storage.await?.row("one call to storage (BatchGetItem)"),
        provider.await?.row("one call to Plivo"),
    ])
}
