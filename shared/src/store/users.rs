//! The table of users, which is kept. Three kinds of items make a user, written together or not at all:
//!
//! | `id` (key) | what | attributes |
//! |---|---|---|
//! | `phone#` + keyed hash | the phone is taken, and how its user logs in | `user`, `password` |
//! | `identity#` + keyed hash | the identity is taken | `user` |
//! | `user#` + objectId | the profile | `phone`, `email`, `created`, `updated`, `last_login`, `status`, `locale`, `properties` |

use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::phones::{Code, Phones};
use super::sessions::{NewSession, Sessions};
use super::table::{Outcome, Read, Table, Write};
use super::{Item, StoreError, number, text};
use crate::clock::Timestamp;
use crate::keys::KeyedHash;

const TABLE: &str = "users";

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
    /// The code was used by another request.
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
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// A user's profile (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn profile(&self, user: &str) -> Result<Option<Profile>, StoreError> {
        read_row(self.table.get(&user_id(user), Read::Strong).await?)
    }

    /// Makes a user and uses up the code, together: on condition that the code is unused and that neither the phone nor the
    /// identity is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register(
        &self,
        phones: &Phones,
        code: Code<'_>,
        user: &NewUser<'_>,
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        let mut writes = vec![phones.use_up(code, now)?];
        writes.extend(self.rows(user)?);
        match self.transact_or_find(phones, code, &writes).await? {
            Outcome::Done => Ok(Registered::Done),
            Outcome::Refused(0) => Ok(Registered::CodeUsed),
            Outcome::Refused(_) => Ok(Registered::Taken),
        }
    }

    /// Makes a user without a code: on condition that neither the phone nor the identity is taken; `false` when one is. For
    /// whoever has the table: imports and the local stack's seeds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create(&self, user: &NewUser<'_>) -> Result<bool, StoreError> {
        Ok(self.table.transact(&self.rows(user)?).await? == Outcome::Done)
    }

    fn rows(&self, user: &NewUser<'_>) -> Result<Vec<Write<'_>>, StoreError> {
        let login = Login { user: user.id.to_owned(), password: user.password.to_owned() };
        let mut rows = vec![self.row(&phone_id(user.phone), &login)?, self.row(&user_id(user.id), user.profile)?];
        if let Some(identity) = user.identity {
            rows.push(self.row(&format!("identity#{}", identity.long()), &Owner { user: user.id })?);
        }
        Ok(rows)
    }

    /// Makes a session and uses up the code, together: on condition that the code is unused and the user is enabled. `false`
    /// when one of these does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn log_in(
        &self,
        phones: &Phones,
        code: Code<'_>,
        sessions: &Sessions,
        session: &NewSession<'_>,
    ) -> Result<bool, StoreError> {
        let last_login = self
            .table
            .update(&user_id(session.user), "SET last_login = :now")
            .when("#status = :enabled")
            .name("#status", "status")
            .value(":enabled", text(ENABLED))
            .value(":now", number(session.now.as_millis()));
        let writes = [phones.use_up(code, session.now)?, sessions.create(session), last_login];
        Ok(self.transact_or_find(phones, code, &writes).await? == Outcome::Done)
    }

    /// Writes all or none. When the answer is lost for good, the code tells whether it was carried out: the caller must neither
    /// lose what was made nor be told that a good code was wrong.
    async fn transact_or_find(
        &self,
        phones: &Phones,
        code: Code<'_>,
        writes: &[Write<'_>],
    ) -> Result<Outcome, StoreError> {
        match self.table.transact(writes).await {
            Err(error) => match phones.was_used(code).await {
                Ok(true) => Ok(Outcome::Done),
                Ok(false) | Err(_) => Err(error),
            },
            outcome => outcome,
        }
    }

    fn row(&self, id: &str, item: &impl Serialize) -> Result<Write<'_>, StoreError> {
        let item: Item = to_item(item).map_err(|error| StoreError::malformed(TABLE, error))?;
        Ok(self.table.put(item, id).when("attribute_not_exists(id)"))
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

#[derive(Serialize)]
struct Owner<'a> {
    user: &'a str,
}

/// A row from its item.
pub(super) fn read_row<T: for<'a> Deserialize<'a>>(item: Option<Item>) -> Result<Option<T>, StoreError> {
    item.map(from_item).transpose().map_err(|error| StoreError::malformed(TABLE, error))
}

pub(super) fn phone_id(phone: &KeyedHash) -> String {
    format!("phone#{}", phone.long())
}

fn user_id(user: &str) -> String {
    format!("user#{user}")
}
