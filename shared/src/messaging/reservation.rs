//! What a message of `sendMessage` reserves before it is sent: its price from `MESSAGE_BUDGET`, and one of the phone's messages of the day. A leaked
//! key can therefore cost no more than these limits allow.

use std::convert::Infallible;

use super::{Message, MessageError, sms_encoding};
use crate::app::App;
use crate::auth::limits::{Limit, LimitRule, Limited};
use crate::channel::Channel;
use crate::clock::Timestamp;
use crate::logging;
use crate::metrics::Metric;
use crate::spend::budget::{Amounts, Window};
use crate::spend::counter::{ALL, Addition, VersionedCounter, spent_fields};
use crate::spend::price::Money;
use crate::spend::retry_after;
use crate::store::{CounterKey, MessageLimits, PhoneKey, PhoneMessages};

/// What messages of `sendMessage` may take. All fields are settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRules {
    /// What they may cost together.
    pub budget: Amounts,
    /// How many of them one phone may get in a day.
    pub per_phone: usize,
    /// What an MMS costs. A segment of an SMS costs what a code does.
    pub mms_price: Money,
}

/// What one message is to reserve.
pub(super) struct MessageReservation<'a> {
    app: &'a App,
    phone: PhoneKey,
    price: Money,
    now: Timestamp,
}

/// A reservation that was made.
pub(super) struct Reserved<'a> {
    reservation: MessageReservation<'a>,
    phone_messages: PhoneMessages,
}

impl<'a> MessageReservation<'a> {
    pub(super) fn of(app: &'a App, message: &Message, phone: PhoneKey, now: Timestamp) -> Self {
        let price = if message.media.is_empty() {
            let segments = i64::try_from(sms_encoding::segments(&message.text)).unwrap_or(i64::MAX);
            app.settings.spend.price(&message.to.country().code(), Channel::Sms) * segments
        } else {
            app.settings.messages.mms_price
        };
        Self { app, phone, price, now }
    }

    /// Makes it: both in parallel, each on condition that there is enough. Where one of the two refuses, nothing stays reserved.
    ///
    /// # Errors
    /// [`MessageError::BudgetSpent`], [`MessageError::Limited`], [`MessageError::Store`].
    pub(super) async fn reserve(self, known: MessageLimits) -> Result<Reserved<'a>, MessageError> {
        // If the state already read refuses either, neither is reserved.
        self.check_budget(&known.budget)?;
        self.count(&mut known.phone.clone())?;
        let (paid, counted) = tokio::join!(self.pay(known.budget), self.count_for_phone(known.phone));
        match (paid, counted) {
            (Ok(()), Ok(phone_messages)) => Ok(Reserved { reservation: self, phone_messages }),
            (Ok(()), Err(refused)) => {
                self.release_price().await;
                Err(refused)
            }
            (Err(refused), Ok(phone_messages)) => {
                self.release_phone(phone_messages).await;
                Err(refused)
            }
            (Err(refused), Err(_)) => Err(refused),
        }
    }

    fn check_budget(&self, budget: &VersionedCounter) -> Result<(), MessageError> {
        let (most, spent) = (self.app.settings.messages.budget, budget.counter.at(self.now).spent(ALL));
        let room = most.room(spent, self.price);
        let percent = if room.is_ok() { most.percent(spent) } else { 100 };
        self.app.metrics.count(Metric::Budget("messages", usize::try_from(percent).unwrap_or_default()), self.now);
        room.map_err(|window| MessageError::BudgetSpent { retry_after: retry_after(window, self.now) })
    }

    async fn pay(&self, budget: VersionedCounter) -> Result<(), MessageError> {
        let counters = &self.app.store.counters;
        let is_paid = counters.add(CounterKey::Messages, budget, &self.additions(), self.now).await?;
        // Others have taken the rest at this moment.
        if is_paid {
            Ok(())
        } else {
            Err(MessageError::BudgetSpent { retry_after: retry_after(Window::Hour, self.now) })
        }
    }

    fn additions(&self) -> Vec<Addition> {
        let amount = self.price.as_millionths();
        let most = self.app.settings.messages.budget.each();
        let windows = spent_fields(ALL).into_iter().zip(most);
        windows.map(|(name, (_, most))| Addition { name, amount, max: Some(most.as_millionths()) }).collect()
    }

    fn count(&self, record: &mut PhoneMessages) -> Result<(), Limited> {
        let limit = LimitRule { max: self.app.settings.messages.per_phone, ..Limit::MessagesPerPhone.rule() };
        limit.prune(&mut record.times, self.now);
        limit.check(&record.times, self.now)?;
        record.times.push(self.now);
        Ok(())
    }

    async fn count_for_phone(&self, record: PhoneMessages) -> Result<PhoneMessages, MessageError> {
        let expires = self.now.plus(Limit::MessagesPerPhone.rule().window);
        let decide = |record: &mut PhoneMessages| self.count(record);
        let ((), record) = self.app.store.phone_messages.update(self.phone, record, expires, decide).await??;
        Ok(record)
    }

    async fn release_price(&self) {
        let refunded = self.app.store.counters.release(CounterKey::Messages, &self.additions(), self.now).await;
        if let Err(error) = refunded {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays paid for");
        }
    }

    async fn release_phone(&self, record: PhoneMessages) {
        let expires = self.now.plus(Limit::MessagesPerPhone.rule().window);
        let decide = |record: &mut PhoneMessages| {
            if let Some(position) = record.times.iter().rposition(|time| *time == self.now) {
                record.times.remove(position);
            }
            Ok::<_, Infallible>(())
        };
        if let Err(error) = self.app.store.phone_messages.update(self.phone, record, expires, decide).await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted for its phone");
        }
    }
}

impl Reserved<'_> {
    /// What the message costs.
    pub(super) const fn price(&self) -> Money {
        self.reservation.price
    }

    /// Releases it, for a message that surely was not sent.
    pub(super) async fn release(self) {
        tokio::join!(self.reservation.release_price(), self.reservation.release_phone(self.phone_messages));
    }
}
