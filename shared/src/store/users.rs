//! The table of users, which is kept. Three kinds of items make a user, written together or not at all:
//!
//! | `id` (key) | what | attributes |
//! |---|---|---|
//! | `phone#` + keyed hash | the phone is taken, and how its user logs in | `user`, `password` |
//! | `identity#` + keyed hash | the identity is taken | `user` |
//! | `user#` + objectId | the profile | `phone`, `email`, `created`, `updated`, `last_login`, `status`, `locale`, `properties` |

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::phones::{Phones, VerifiedCode};
use super::sessions::{NewSession, Sessions};
use super::table::{Consistency, Table, Transacted};
use super::{Item, StoreError, names, number, text, values};
use crate::clock::Timestamp;
use crate::crypto::KeyedHash;

/// The status of a user who may log in (Backendless: `userStatus`).
pub const ENABLED: &str = "ENABLED";

/// What a login starts from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// The user's objectId.
    pub user: String,
    /// The password's hash, a PHC string.
    pub password: String,
}

/// A user's profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// E.164.
    pub phone: String,
    /// As it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the user was registered.
    pub created: Timestamp,
    /// When the profile was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// When the user last logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
    /// [`ENABLED`] or `DISABLED`.
    pub status: String,
    /// Two letters (Backendless: `blUserLocale`).
    pub locale: String,
    /// The app's own properties, a JSON object as text: numbers keep every digit and names meet no attribute of ours.
    pub properties: String,
}

/// How a registration ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Registered {
    /// There is a new user.
    Done,
    /// Another request redeemed the code.
    CodeUsed,
    /// The phone or the identity is taken.
    Taken,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) table: Table,
}

impl Users {
    /// A user's profile (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn profile(&self, user: &str) -> Result<Option<Profile>, StoreError> {
        read(self.table.get(&user_id(user), Consistency::Strong).await?)
    }

    /// Makes a user and redeems the code, together: on condition that the code is not redeemed and that neither the phone nor the identity
    /// is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register(
        &self,
        phones: &Phones,
        code: VerifiedCode<'_>,
        user: &NewUser<'_>,
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        let writes = || {
            let mut writes = vec![phones.redeem(code, now)?];
            writes.extend(self.creation(user)?);
            Ok(writes)
        };
        match self.transact_or_find(phones, code, writes()).await? {
            Transacted::Done => Ok(Registered::Done),
            Transacted::ConditionFailed(0) => Ok(Registered::CodeUsed),
            Transacted::ConditionFailed(_) => Ok(Registered::Taken),
        }
    }

    /// Makes a user without a code: on condition that neither the phone nor the identity is taken; `false` when one is. For whoever has the
    /// table: imports and the local stack's seeds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create(&self, user: &NewUser<'_>) -> Result<bool, StoreError> {
        Ok(self.table.transact(self.creation(user)).await? == Transacted::Done)
    }

    /// The part of a transaction that makes a user's rows: on condition that none of them is there.
    fn creation(&self, user: &NewUser<'_>) -> Result<Vec<TransactWriteItem>, BuildError> {
        let login = Login { user: user.id.to_owned(), password: user.password.to_owned() };
        let mut rows = vec![self.row(&phone_id(user.phone), &login)?, self.row(&user_id(user.id), user.profile)?];
        if let Some(identity) = user.identity {
            let owner = values([("user", text(user.id))]).unwrap_or_default();
            rows.push(self.table.creation(&format!("identity#{}", identity.long()), owner)?);
        }
        Ok(rows)
    }

    /// Makes a session, redeems the code and notes the login, together: on condition that the code is not redeemed and the user is
    /// enabled. `false` when one of these does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_in(
        &self,
        phones: &Phones,
        code: VerifiedCode<'_>,
        sessions: &Sessions,
        session: &NewSession<'_>,
    ) -> Result<bool, StoreError> {
        let writes = || {
            let last_login = self.table.change(
                &user_id(session.user),
                ("SET last_login = :now", "#status = :enabled"),
                names([("#status", "status")]),
                values([(":enabled", text(ENABLED)), (":now", number(session.now.as_millis()))]),
            )?;
            Ok(vec![phones.redeem(code, session.now)?, sessions.creation(session)?, last_login])
        };
        Ok(self.transact_or_find(phones, code, writes()).await? == Transacted::Done)
    }

    /// Writes all or none. When the response is lost for good, the code tells whether it was carried out: the caller must neither lose what
    /// was made nor be told that a right code was wrong.
    async fn transact_or_find(
        &self,
        phones: &Phones,
        code: VerifiedCode<'_>,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
    ) -> Result<Transacted, StoreError> {
        match self.table.transact(writes).await {
            Err(error) => match phones.was_redeemed(code).await {
                Ok(true) => Ok(Transacted::Done),
                Ok(false) | Err(_) => Err(error),
            },
            done => done,
        }
    }

    fn row(&self, id: &str, row: &impl Serialize) -> Result<TransactWriteItem, BuildError> {
        let item: Item = to_item(row).map_err(BuildError::other)?;
        self.table.creation(id, item)
    }
}

/// A user to be made.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// The objectId.
    pub id: &'a str,
    /// The phone's keyed hash.
    pub phone: &'a KeyedHash,
    /// The identity's, where it is not the phone.
    pub identity: Option<&'a KeyedHash>,
    /// The password's hash.
    pub password: &'a str,
    /// The rest.
    pub profile: &'a Profile,
}

/// A row from its item.
pub(super) fn read<T: for<'a> Deserialize<'a>>(item: Option<Item>) -> Result<Option<T>, StoreError> {
    item.map(from_item).transpose().map_err(|error| StoreError::malformed("users", error))
}

pub(super) fn phone_id(phone: &KeyedHash) -> String {
    format!("phone#{}", phone.long())
}

fn user_id(user: &str) -> String {
    format!("user#{user}")
}
