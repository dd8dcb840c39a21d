//! Notices: what a user is told by SMS about a change of the account, in case somebody else has made it. They cost what messages of the app's own
//! cost, from the same budget, and go out after the answer. A test number that is nobody's is told nothing; any other may be a person's.

use std::iter::once;
use std::sync::Arc;

use super::email::Email;
use super::texts::Texts;
use crate::app::App;
use crate::config::{Purpose, Settings};
use crate::crypto::{Keys, identifier};
use crate::language::Language;
use crate::logging;
use crate::messaging::{self, IdempotencyKey, Message, MessageError};
use crate::store::{PhoneKey, Profile};
use phone_number::PhoneNumber;

/// The items that may hold challenges of a user: the phone's, and that of the e-mail address, by which a reset can be requested.
pub(super) fn challenge_items(keys: &Keys, profile: &Profile) -> Vec<PhoneKey> {
    let address = profile.email.as_deref().and_then(Email::parse).map(|email| keys.identity(email.identity()));
    once(keys.phone(&profile.phone)).chain(address).map(|hash| PhoneKey(hash.short())).collect()
}

/// After a change: ends the pending codes and the device tokens of these items, and tells the phone that the user had, in this language. A
/// challenge that begins from now on stays good, even if this work is still to be done by then.
pub(super) fn after_change(
    app: &Arc<App>,
    (notice, language): (Purpose, Language),
    number: &str,
    items: Vec<PhoneKey>,
) {
    let (task, number) = (Arc::clone(app), number.to_owned());
    let pending = app.clock.now().plus(app.settings.code_life);
    app.background.spawn(async move {
        for item in items {
            if let Err(error) = task.store.phones.forget_devices_and_codes(item, pending, task.clock.now()).await {
                tracing::error!(
                    cause = logging::chain(&error),
                    "tokens of devices and pending codes are still good after a change"
                );
            }
        }
        if let Err(error) = tell(&task, (notice, language), &number).await {
            tracing::error!(cause = logging::chain(&error), "a user is not told of a change");
        }
    });
}

/// The notice's text.
pub(super) fn text(settings: &Settings, notice: Purpose, language: Language) -> String {
    let texts = Texts::of(language);
    let built_in = if notice == Purpose::PhoneChanged { texts.phone_changed } else { texts.password_changed };
    settings.texts.get(language, notice).unwrap_or(built_in).replace("{app}", &settings.app_name)
}

async fn tell(app: &App, (notice, language): (Purpose, Language), number: &str) -> Result<(), MessageError> {
    let Ok(phone) = PhoneNumber::parse(number, app.settings.default_country) else { return Ok(()) };
    if phone.is_fictional() && app.settings.test_number(&phone, app.clock.now()).is_some() {
        return Ok(());
    }
    let text = text(&app.settings, notice, language);
    let message = Message::new(&app.settings, phone, text, Vec::new())?;
    match messaging::send(app, &IdempotencyKey::of("notice", &identifier::random()), &message).await {
        // It wants no messages.
        Ok(_) | Err(MessageError::OptedOut) => Ok(()),
        Err(error) => Err(error),
    }
}
