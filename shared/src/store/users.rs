//! The table of users, which is kept. Three kinds of items make a user, written together or not at all; one is of the table:
//!
//! | `id` (key) | what | attributes |
//! |---|---|---|
//! | `phone#` + keyed hash | the phone is taken, and how its user logs in | `user`, `password`, `disabled`, `test` |
//! | `identity#` + keyed hash | the identity is taken | `user` |
//! | `user#` + objectId | the profile | `phone`, `email`, `created`, `updated`, `last_login`, `status`, `locale`, `properties`, `sessions`, `roles` |
//! | `root_key` | the check value of the root key that all of them were made with | `check` |

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::phones::{Phones, VerifiedCode};
use super::sessions::{NewSession, Session, SessionEntry, Sessions};
use super::table::{Consistency, Found, Key, Table, Transacted, Written, get_all, write};
use super::{Item, StoreError, names, number, text, values};
use crate::clock::Timestamp;
use crate::crypto::{KeyedHash, Keys};

/// The id of the item that tells which root key the others were made with.
const ROOT_KEY: &str = "root_key";

/// The status of a user who may log in (Backendless: `userStatus`).
pub const ENABLED: &str = "ENABLED";
/// That of one who may not.
pub const DISABLED: &str = "DISABLED";

/// The most sessions of a user: a new one ends the oldest.
pub const MAX_SESSIONS: usize = 20;

/// Who has a phone, and the password: what a login starts from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PhoneOwner {
    /// The user's objectId.
    pub user: String,
    /// The password's hash, a PHC string; none of a user without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether the user may not log in, and so gets no code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Whether the phone was proven by the fixed code of a test number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
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
    /// The user's sessions, each a [`SessionEntry`] as text: a set, so that logins and logouts change it without reading it. Some may have ended.
    #[serde(default, skip_serializing)]
    pub sessions: BTreeSet<String>,
    /// What the operator has given the user. No client can write it.
    #[serde(default, skip_serializing)]
    pub roles: BTreeSet<String>,
}

impl Profile {
    /// The sessions, oldest first.
    pub fn session_entries(&self) -> Vec<SessionEntry> {
        let mut entries: Vec<_> = self.sessions.iter().filter_map(|text| SessionEntry::parse(text)).collect();
        entries.sort_by_key(|entry| entry.created);
        entries
    }
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

/// The users table.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) table: Table,
    /// The check value of the root key, once it was read.
    root_key: Arc<OnceLock<String>>,
}

/// The check value of the root key that all rows were made with.
#[derive(Debug, Serialize, Deserialize)]
struct RootKeyRow {
    check: String,
}

impl Users {
    pub(super) fn new(table: Table) -> Self {
        Self { table, root_key: Arc::default() }
    }

    /// Reads which root key the rows were made with, before the keys are there to be compared: at a cold start, beside the secrets. `None` before
    /// the first registration.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn root_key(&self) -> Result<Option<&str>, StoreError> {
        let key = self.root_key_unless_known();
        if !key.is_empty() {
            self.take_root_key(&mut get_all(&key).await?)?;
        }
        Ok(self.root_key.get().map(String::as_str))
    }

    /// The key of that item, to read it together with others: only until it was found.
    pub(super) fn root_key_unless_known(&self) -> Vec<Key<'_>> {
        let key = || Key { table: &self.table, id: ROOT_KEY.to_owned(), consistency: Consistency::Strong };
        if self.root_key.get().is_some() { Vec::new() } else { vec![key()] }
    }

    /// Takes it from what was found.
    pub(super) fn take_root_key(&self, found: &mut Found) -> Result<(), StoreError> {
        let row: Option<RootKeyRow> = read(found.take(&self.table, ROOT_KEY))?;
        if let Some(row) = row {
            self.root_key.get_or_init(|| row.check);
        }
        Ok(())
    }

    /// Refuses other keys than those that the rows were made with, which would find no user and make a second one of each phone. Before the
    /// first registration, there is nothing to compare.
    ///
    /// # Errors
    /// [`StoreError::OtherRootKey`]; the others.
    pub async fn check_root_key(&self, keys: &Keys) -> Result<(), StoreError> {
        self.root_key().await?;
        self.compare_root_key(keys)
    }

    /// The same, with what was read beside a start's items.
    ///
    /// # Errors
    /// [`StoreError::OtherRootKey`].
    pub fn compare_root_key(&self, keys: &Keys) -> Result<(), StoreError> {
        let is_other = self.root_key.get().is_some_and(|check| *check != keys.check());
        if is_other { Err(StoreError::OtherRootKey) } else { Ok(()) }
    }

    /// The same, and keeps the check value where there is none, on condition that there still is none: before a user's first rows are written.
    ///
    /// # Errors
    /// As [`Users::check_root_key`].
    pub async fn keep_root_key(&self, keys: &Keys) -> Result<(), StoreError> {
        if self.root_key().await?.is_none() {
            let row =
                to_item(RootKeyRow { check: keys.check() }).map_err(|error| StoreError::malformed("users", error))?;
            let put = self.table.put(ROOT_KEY, row).condition_expression("attribute_not_exists(id)");
            write(|| put.clone().send()).await?;
        }
        self.check_root_key(keys).await
    }

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
            if let Some((sessions, session)) = user.session {
                writes.push(sessions.creation(session)?);
            }
            Ok(writes)
        };
        match self.transact_or_find(phones, code, writes()).await? {
            Transacted::Done => Ok(Registered::Done),
            Transacted::ConditionFailed(0) => Ok(Registered::CodeUsed),
            Transacted::ConditionFailed(_) => Ok(Registered::Taken),
        }
    }

    /// Makes a user without a code: on condition that neither the phone nor the identity is taken; `false` when one is. For a client that has the
    /// table: imports and the local stack's seeds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create(&self, user: &NewUser<'_>) -> Result<bool, StoreError> {
        Ok(self.table.transact(self.creation(user)).await? == Transacted::Done)
    }

    /// The part of a transaction that makes a user's rows: on condition that none of them is there.
    fn creation(&self, user: &NewUser<'_>) -> Result<Vec<TransactWriteItem>, BuildError> {
        let (id, password) = (user.id.to_owned(), user.password.map(str::to_owned));
        let owner = PhoneOwner { user: id, password, disabled: false, test: user.test };
        let mut profile: Item = to_item(user.profile).map_err(BuildError::other)?;
        if let Some((_, session)) = user.session {
            profile.insert("sessions".to_owned(), AttributeValue::Ss(vec![session.entry().text()]));
            profile.insert("last_login".to_owned(), number(session.now.as_millis()));
        }
        let mut rows = vec![self.row(&phone_id(user.phone), &owner)?, self.table.creation(&user_id(user.id), profile)?];
        if let Some(identity) = user.identity {
            let owner = values([("user", text(user.id))]).unwrap_or_default();
            rows.push(self.table.creation(&identity_id(identity), owner)?);
        }
        Ok(rows)
    }

    /// Makes a session, redeems the code and notes the login, together: on condition that the code is not redeemed and the user is
    /// enabled. `false` when one of these does not hold. If the user has [`MAX_SESSIONS`], the oldest ends.
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
        let writes = || Ok(vec![phones.redeem(code, session.now)?, sessions.creation(session)?, self.login(session)?]);
        let mut written = self.transact_or_find(phones, code, writes()).await?;
        if written == Transacted::ConditionFailed(2) && self.end_oldest(sessions, session.user).await? {
            written = self.transact_or_find(phones, code, writes()).await?;
        }
        Ok(written == Transacted::Done)
    }

    /// The part of a transaction that notes a login.
    fn login(&self, session: &NewSession<'_>) -> Result<TransactWriteItem, BuildError> {
        let has_room = "(attribute_not_exists(sessions) OR size(sessions) < :most)";
        self.table.change(
            &user_id(session.user),
            ("ADD sessions :entry SET last_login = :now", &format!("#status = :enabled AND {has_room}")),
            names([("#status", "status")]),
            values([
                (":enabled", text(ENABLED)),
                (":now", number(session.now.as_millis())),
                (":entry", AttributeValue::Ss(vec![session.entry().text()])),
                (":most", number(i64::try_from(MAX_SESSIONS).unwrap_or(i64::MAX))),
            ]),
        )
    }

    /// Makes room for one more session; `false` if that is not what was missing.
    async fn end_oldest(&self, sessions: &Sessions, user: &str) -> Result<bool, StoreError> {
        let entries = self.profile(user).await?.map(|profile| profile.session_entries()).unwrap_or_default();
        let surplus = (entries.len() + 1).saturating_sub(MAX_SESSIONS);
        self.end_sessions(sessions, user, &entries[..surplus]).await?;
        Ok(surplus > 0)
    }

    /// Who has a phone (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn owner(&self, phone: &KeyedHash) -> Result<Option<PhoneOwner>, StoreError> {
        read(self.table.get(&phone_id(phone), Consistency::Strong).await?)
    }

    /// Changes a user, with a new password and the end of sessions where the change has them, all or nothing: on condition that the user is enabled
    /// and nobody else has changed it. `false` when one of these does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change(&self, sessions: &Sessions, change: &UserChange<'_>) -> Result<bool, StoreError> {
        Ok(self.table.transact(self.change_writes(sessions, change)).await? == Transacted::Done)
    }

    fn change_writes(
        &self,
        sessions: &Sessions,
        change: &UserChange<'_>,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut writes = vec![self.profile_change(change)?];
        writes.extend(change.ended.iter().map(|entry| sessions.removal(entry)).collect::<Result<Vec<_>, _>>()?);
        if let Some((owner, password)) = change.password {
            let names = names([("#user", "user"), ("#password", "password")]);
            let values = values([(":user", text(change.user)), (":password", text(password))]);
            let set = ("SET #password = :password", "#user = :user");
            writes.push(self.table.change(&phone_id(owner), set, names, values)?);
        }
        Ok(writes)
    }

    /// The same, and redeems a code. `None` if another request has redeemed it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_by_code(
        &self,
        phones: &Phones,
        sessions: &Sessions,
        code: VerifiedCode<'_>,
        change: &UserChange<'_>,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let writes = || {
            let mut writes = vec![phones.redeem(code, now)?];
            writes.extend(self.change_writes(sessions, change)?);
            Ok(writes)
        };
        Ok(match self.transact_or_find(phones, code, writes()).await? {
            Transacted::Done => Some(true),
            Transacted::ConditionFailed(0) => None,
            Transacted::ConditionFailed(_) => Some(false),
        })
    }

    fn profile_change(&self, change: &UserChange<'_>) -> Result<TransactWriteItem, BuildError> {
        let new = change.profile;
        let mut expression =
            "SET #properties = :properties, #locale = :locale, updated = :updated, phone = :phone".to_owned();
        let mut values = Item::from([
            (":phone".to_owned(), text(&new.phone)),
            (":properties".to_owned(), text(&new.properties)),
            (":locale".to_owned(), text(&new.locale)),
            (":updated".to_owned(), number(new.updated.unwrap_or(new.created).as_millis())),
            (":enabled".to_owned(), text(ENABLED)),
        ]);
        if let Some(email) = &new.email {
            expression += ", email = :email";
            values.insert(":email".to_owned(), text(email));
        }
        if !change.ended.is_empty() {
            expression += " DELETE sessions :ended";
            let texts = change.ended.iter().map(SessionEntry::text).collect();
            values.insert(":ended".to_owned(), AttributeValue::Ss(texts));
        }
        let unchanged = match change.seen {
            Some(seen) => {
                values.insert(":seen".to_owned(), number(seen.as_millis()));
                "updated = :seen"
            }
            None => "attribute_not_exists(updated)",
        };
        let names = names([("#status", "status"), ("#properties", "properties"), ("#locale", "locale")]);
        let mut condition = format!("#status = :enabled AND {unchanged}");
        if let Some(profile) = change.sessions_of {
            let (same, seen) = same_sessions(profile);
            condition += &format!(" AND {same}");
            values.extend(seen);
        }
        self.table.change(&user_id(change.user), (&expression, &condition), names, Some(values))
    }

    /// Deletes a user's rows and sessions, all or nothing: on condition that no session has begun or ended since `profile` was read. `false` when
    /// one has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(
        &self,
        sessions: &Sessions,
        user: &str,
        profile: &Profile,
        phone: &KeyedHash,
        identity: Option<&KeyedHash>,
    ) -> Result<bool, StoreError> {
        let writes = || {
            let (unchanged, seen) = same_sessions(profile);
            let seen = (!seen.is_empty()).then_some(seen);
            let mut writes = vec![self.table.removal_if(&user_id(user), unchanged, None, seen)?];
            let ids = identity.map(identity_id);
            for id in ids.into_iter().chain([phone_id(phone)]) {
                let is_own = "attribute_not_exists(id) OR #user = :user";
                let (names, values) = (names([("#user", "user")]), values([(":user", text(user))]));
                writes.push(self.table.removal_if(&id, is_own, names, values)?);
            }
            for entry in profile.session_entries() {
                writes.push(sessions.removal(&entry)?);
            }
            Ok(writes)
        };
        Ok(self.table.transact(writes()).await? == Transacted::Done)
    }

    /// Gives a user another phone, and redeems the code that was sent to it, all or nothing: on condition that the code is not redeemed, that nobody
    /// has the phone, and that nobody else has changed the user. The password goes along, and sessions end as the change says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_phone(
        &self,
        phones: &Phones,
        sessions: &Sessions,
        code: VerifiedCode<'_>,
        change: &PhoneChange<'_>,
        now: Timestamp,
    ) -> Result<PhoneMoved, StoreError> {
        let writes = || {
            let owner: Item = to_item(change.owner).map_err(BuildError::other)?;
            let own = values([(":user", text(change.user.user))]);
            let mut writes = vec![
                phones.redeem(code, now)?,
                self.table.creation(&phone_id(change.new), owner)?,
                self.table.removal_if(&phone_id(change.old), "#user = :user", names_of_owner(), own)?,
                self.profile_change(&change.user)?,
            ];
            for entry in change.user.ended {
                writes.push(sessions.removal(entry)?);
            }
            Ok(writes)
        };
        Ok(match self.transact_or_find(phones, code, writes()).await? {
            Transacted::Done => PhoneMoved::Done,
            Transacted::ConditionFailed(0) => PhoneMoved::CodeUsed,
            Transacted::ConditionFailed(1) => PhoneMoved::Taken,
            Transacted::ConditionFailed(_) => PhoneMoved::Changed,
        })
    }

    /// Who has an identity (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn identity_owner(&self, identity: &KeyedHash) -> Result<Option<String>, StoreError> {
        let item = self.table.get(&identity_id(identity), Consistency::Strong).await?;
        Ok(item.and_then(|item| item.get("user")?.as_s().ok().cloned()))
    }

    /// Lets a user log in or not, and ends the sessions of one who may not, all or nothing: on condition that no session has begun or ended since
    /// `profile` was read. `false` when one has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_status(
        &self,
        sessions: &Sessions,
        user: &str,
        profile: &Profile,
        phone: &KeyedHash,
        is_enabled: bool,
    ) -> Result<bool, StoreError> {
        let writes = || {
            let (unchanged, seen) = same_sessions(profile);
            let status = text(if is_enabled { ENABLED } else { DISABLED });
            let set = if is_enabled { "SET #status = :status" } else { "SET #status = :status REMOVE sessions" };
            let values = seen.into_iter().chain([(":status".to_owned(), status)]).collect();
            let names = names([("#status", "status")]);
            let mut writes = vec![self.table.change(&user_id(user), (set, unchanged), names, Some(values))?];
            let owner = values_of_owner(user, !is_enabled);
            let set = ("SET disabled = :disabled", "#user = :user");
            writes.push(self.table.change(&phone_id(phone), set, names_of_owner(), owner)?);
            for entry in profile.session_entries().iter().filter(|_| !is_enabled) {
                writes.push(sessions.removal(entry)?);
            }
            Ok(writes)
        };
        Ok(self.table.transact(writes()).await? == Transacted::Done)
    }

    /// Takes the e-mail address from a user, so that another may have it; `false` if it is not this user's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_email(&self, user: &str, identity: &KeyedHash) -> Result<bool, StoreError> {
        let writes = || {
            let own = values([(":user", text(user))]);
            let claim = self.table.removal_if(&identity_id(identity), "#user = :user", names_of_owner(), own)?;
            let change = self.table.change(&user_id(user), ("REMOVE email", "attribute_exists(id)"), None, None)?;
            Ok(vec![claim, change])
        };
        Ok(self.table.transact(writes()).await? == Transacted::Done)
    }

    /// Gives a role to a user, or takes it; `false` if there is no such user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change_role(&self, user: &str, role: &str, is_given: bool) -> Result<bool, StoreError> {
        let change = if is_given { "ADD #roles :role" } else { "DELETE #roles :role" };
        let update = self
            .table
            .update(&user_id(user), change)
            .condition_expression("attribute_exists(id)")
            .set_expression_attribute_names(names([("#roles", "roles")]))
            .expression_attribute_values(":role", AttributeValue::Ss(vec![role.to_owned()]));
        Ok(matches!(write(|| update.clone().send()).await?, Written::Done(_)))
    }

    /// Ends these sessions of a user, all or none; those that are over already do no harm. At most [`MAX_SESSIONS`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_sessions(
        &self,
        sessions: &Sessions,
        user: &str,
        entries: &[SessionEntry],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let writes = || {
            let mut writes: Vec<_> = entries.iter().map(|entry| sessions.removal(entry)).collect::<Result<_, _>>()?;
            let texts = AttributeValue::Ss(entries.iter().map(SessionEntry::text).collect());
            let change = ("DELETE sessions :ended", "attribute_exists(id)");
            writes.push(self.table.change(&user_id(user), change, None, values([(":ended", texts)]))?);
            Ok(writes)
        };
        self.table.transact(writes()).await.map(drop)
    }

    /// Takes a session that has ended off the user's list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_session(&self, session: &Session) -> Result<(), StoreError> {
        let Some(entry) = &session.entry else { return Ok(()) };
        let update = self.table.update(&user_id(&session.user), "DELETE sessions :ended");
        let update = update.condition_expression("attribute_exists(id)");
        let update = update.expression_attribute_values(":ended", AttributeValue::Ss(vec![entry.clone()]));
        write(|| update.clone().send()).await.map(drop)
    }

    /// Makes a session without a login, for the local stack's seeds; `false` when the token is not new or there is no such user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_session(&self, sessions: &Sessions, session: &NewSession<'_>) -> Result<bool, StoreError> {
        let entry = AttributeValue::Ss(vec![session.entry().text()]);
        let change = ("ADD sessions :entry", "attribute_exists(id)");
        let listed = self.table.change(&user_id(session.user), change, None, values([(":entry", entry)]));
        let writes = listed.and_then(|listed| Ok(vec![sessions.creation(session)?, listed]));
        Ok(self.table.transact(writes).await? == Transacted::Done)
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

/// How a change of a phone ended.
#[derive(Debug, PartialEq, Eq)]
pub enum PhoneMoved {
    /// The user has the new phone.
    Done,
    /// Another request redeemed the code.
    CodeUsed,
    /// Another user has the phone.
    Taken,
    /// The user has changed meanwhile.
    Changed,
}

/// A change of a user's phone.
#[derive(Debug)]
pub struct PhoneChange<'a> {
    /// The old phone's keyed hash.
    pub old: &'a KeyedHash,
    /// The new one's.
    pub new: &'a KeyedHash,
    /// What stood under the old one.
    pub owner: &'a PhoneOwner,
    /// The rest.
    pub user: UserChange<'a>,
}

/// A change of a user.
#[derive(Debug)]
pub struct UserChange<'a> {
    /// The objectId.
    pub user: &'a str,
    /// The `updated` that the change was decided on.
    pub seen: Option<Timestamp>,
    /// The profile as it is to be.
    pub profile: &'a Profile,
    /// The phone's keyed hash and a new password's hash.
    pub password: Option<(&'a KeyedHash, &'a str)>,
    /// The sessions that end.
    pub ended: &'a [SessionEntry],
    /// The profile that these were read from, where no session may have begun since then.
    pub sessions_of: Option<&'a Profile>,
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
    /// The password's hash, if there is one.
    pub password: Option<&'a str>,
    /// Whether the code was that of a test number.
    pub test: bool,
    /// The rest.
    pub profile: &'a Profile,
    /// The session that begins with it, if one does.
    pub session: Option<(&'a Sessions, &'a NewSession<'a>)>,
}

/// A row from its item.
pub(super) fn read<T: for<'a> Deserialize<'a>>(item: Option<Item>) -> Result<Option<T>, StoreError> {
    item.map(from_item).transpose().map_err(|error| StoreError::malformed("users", error))
}

pub(super) fn phone_id(phone: &KeyedHash) -> String {
    format!("phone#{}", phone.long())
}

fn identity_id(identity: &KeyedHash) -> String {
    format!("identity#{}", identity.long())
}

/// The condition that no session has begun or ended since a profile was read, and its value.
fn same_sessions(profile: &Profile) -> (&'static str, Item) {
    if profile.sessions.is_empty() {
        return ("attribute_exists(id) AND attribute_not_exists(sessions)", Item::new());
    }
    let seen = AttributeValue::Ss(profile.sessions.iter().cloned().collect());
    ("sessions = :sessions", Item::from([(":sessions".to_owned(), seen)]))
}

fn names_of_owner() -> Option<HashMap<String, String>> {
    names([("#user", "user")])
}

fn values_of_owner(user: &str, disabled: bool) -> Option<Item> {
    values([(":user", text(user)), (":disabled", AttributeValue::Bool(disabled))])
}

fn user_id(user: &str) -> String {
    format!("user#{user}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{CHALLENGE_LIFE, Fault, NOW, PHONE, after, attempt, hash, issue, start};
    use super::super::{Attempt, Store};
    use super::*;
    use crate::flow::Flow;

    const TOKEN: [u8; 16] = [7; 16];
    const IDLE: Duration = Duration::from_secs(60);

    fn profile(status: &str) -> Profile {
        Profile {
            phone: "+14155550100".to_owned(),
            email: Some("a@example.com".to_owned()),
            created: NOW,
            updated: None,
            last_login: None,
            status: status.to_owned(),
            locale: "en".to_owned(),
            properties: r#"{"n":1.50}"#.to_owned(),
            sessions: [].into(),
            roles: [].into(),
        }
    }

    async fn create(store: &Store, id: &str, phone: &str, identity: &str, status: &str) -> bool {
        let (phone, identity) = (&hash(phone), Some(&hash(identity)));
        let user = NewUser {
            id,
            phone,
            identity,
            password: Some("phc"),
            test: false,
            profile: &profile(status),
            session: None,
        };
        store.users.create(&user).await.unwrap()
    }

    async fn register(store: &Store, attempt: &Attempt, id: &str, now: Timestamp) -> Result<Registered, StoreError> {
        let (phone, identity, profile) = (&hash("phone"), Some(&hash("identity")), &profile(ENABLED));
        let user = NewUser { id, phone, identity, password: Some("phc"), test: false, profile, session: None };
        let code = VerifiedCode { phone: PHONE, key: Flow::Register.into(), attempt, device: None };
        store.users.register(&store.phones, code, &user, now).await
    }

    async fn log_in(store: &Store, attempt: &Attempt, user: &str, now: Timestamp) -> Result<bool, StoreError> {
        let code = VerifiedCode { phone: PHONE, key: Flow::Login.into(), attempt, device: None };
        let session = NewSession { token: &TOKEN, user, device: "d", flow: Flow::Login, now, idle: IDLE, life: IDLE };
        store.users.log_in(&store.phones, code, &store.sessions, &session).await
    }

    async fn has_session(store: &Store) -> bool {
        store.sessions.touch(&TOKEN, NOW, IDLE).await.unwrap().is_some()
    }

    async fn is_redeemed(store: &Store, flow: Flow) -> bool {
        store.phones.get(PHONE).await.unwrap().challenges[&flow.into()].redeemed_by.is_some()
    }

    /// The rows of a user with this phone and identity, and the objectId that a test registers.
    async fn rows(store: &Store, phone: &str, identity: &str) -> [bool; 3] {
        let ids = [phone_id(&hash(phone)), format!("identity#{}", hash(identity).long()), user_id("new")];
        let mut found = [false; 3];
        for (found, id) in found.iter_mut().zip(&ids) {
            *found = store.users.table.get(id, Consistency::Strong).await.unwrap().is_some();
        }
        found
    }

    #[tokio::test]
    async fn a_registration_that_is_refused_writes_nothing() {
        for (case, taken, redeemed, now, refused, rows_after) in [
            ("taken phone", Some(("phone", "other")), false, NOW, Registered::Taken, [true, false, false]),
            ("taken identity", Some(("other", "identity")), false, NOW, Registered::Taken, [false, true, false]),
            ("redeemed code", None, true, NOW, Registered::CodeUsed, [false; 3]),
            ("expired code", None, false, after(CHALLENGE_LIFE), Registered::CodeUsed, [false; 3]),
            ("both", Some(("phone", "identity")), true, NOW, Registered::CodeUsed, [true, true, false]),
        ] {
            let (store, _) = start().await;
            issue(&store, Flow::Register, 5).await;
            let attempt = attempt(&store, Flow::Register).await;
            if let Some((phone, identity)) = taken {
                assert!(create(&store, "old", phone, identity, ENABLED).await);
            }
            if redeemed {
                let code = VerifiedCode { phone: PHONE, key: Flow::Register.into(), attempt: &attempt, device: None };
                let redeem = store.phones.redeem(code, NOW).map(|write| vec![write]);
                assert_eq!(store.users.table.transact(redeem).await.unwrap(), Transacted::Done);
            }
            assert_eq!(register(&store, &attempt, "new", now).await.unwrap(), refused, "{case}");
            assert_eq!(rows(&store, "phone", "identity").await, rows_after, "{case}");
            assert_eq!(is_redeemed(&store, Flow::Register).await, redeemed, "{case}");
        }
    }

    #[tokio::test]
    async fn a_registration_makes_all_rows_and_redeems_the_code() {
        let (store, _) = start().await;
        issue(&store, Flow::Register, 5).await;
        let attempt = attempt(&store, Flow::Register).await;
        assert_eq!(register(&store, &attempt, "new", NOW).await.unwrap(), Registered::Done);
        assert_eq!(rows(&store, "phone", "identity").await, [true; 3]);
        assert!(is_redeemed(&store, Flow::Register).await);
        assert_eq!(store.users.profile("new").await.unwrap(), Some(profile(ENABLED)));
        assert_eq!(store.users.profile("another").await.unwrap(), None);
    }

    #[tokio::test]
    async fn of_two_registrations_at_once_one_wins() {
        let (store, _) = start().await;
        issue(&store, Flow::Register, 5).await;
        let (one, two) = (attempt(&store, Flow::Register).await, attempt(&store, Flow::Register).await);
        let (one, two) = tokio::join!(register(&store, &one, "one", NOW), register(&store, &two, "two", NOW));
        let (mut ends, mut users) = (vec![one.unwrap(), two.unwrap()], 0);
        ends.sort_by_key(|end| *end != Registered::Done);
        assert_eq!(ends, [Registered::Done, Registered::CodeUsed]);
        for id in ["one", "two"] {
            users += usize::from(store.users.profile(id).await.unwrap().is_some());
        }
        assert_eq!(users, 1);
    }

    #[tokio::test]
    async fn a_user_is_not_made_twice() {
        let (store, http) = start().await;
        http.spoil("TransactWriteItems", Fault::LoseResponse, 1);
        assert!(create(&store, "old", "phone", "identity", ENABLED).await, "its own write is no other's");
        for (id, phone, identity) in
            [("new", "phone", "other"), ("new", "other", "identity"), ("old", "other", "other")]
        {
            assert!(!create(&store, id, phone, identity, ENABLED).await, "{id} {phone} {identity}");
        }
        assert_eq!(rows(&store, "other", "other").await, [false; 3]);
    }

    #[tokio::test]
    async fn a_login_that_is_refused_makes_no_session_and_keeps_the_code() {
        for (case, status, user, now) in [
            ("disabled user", "DISABLED", "a", NOW),
            ("unknown user", ENABLED, "b", NOW),
            ("expired code", ENABLED, "a", after(CHALLENGE_LIFE)),
        ] {
            let (store, _) = start().await;
            assert!(create(&store, "a", "phone", "identity", status).await);
            issue(&store, Flow::Login, 5).await;
            let attempt = attempt(&store, Flow::Login).await;
            assert!(!log_in(&store, &attempt, user, now).await.unwrap(), "{case}");
            assert!(!has_session(&store).await && !is_redeemed(&store, Flow::Login).await, "{case}");
            assert_eq!(store.users.profile("a").await.unwrap(), Some(profile(status)), "{case}");
            assert_eq!(store.users.profile("b").await.unwrap(), None, "{case}");
        }
    }

    #[tokio::test]
    async fn a_code_logs_in_once() {
        let (store, _) = start().await;
        assert!(create(&store, "a", "phone", "identity", ENABLED).await);
        issue(&store, Flow::Login, 5).await;
        let (first, second) = (attempt(&store, Flow::Login).await, attempt(&store, Flow::Login).await);
        assert!(log_in(&store, &first, "a", after(1)).await.unwrap());
        assert!(has_session(&store).await && is_redeemed(&store, Flow::Login).await);
        assert_eq!(store.users.profile("a").await.unwrap().unwrap().last_login, Some(after(1)));
        assert!(store.sessions.end(&TOKEN, NOW).await.unwrap().is_some());
        for attempt in [first, second] {
            assert!(!log_in(&store, &attempt, "a", after(2)).await.unwrap());
        }
        assert!(!has_session(&store).await);
        assert_eq!(store.users.profile("a").await.unwrap().unwrap().last_login, Some(after(1)));
    }

    #[tokio::test]
    async fn what_was_carried_out_succeeds_though_every_response_is_lost() {
        for lost in 1..=3 {
            let (store, http) = start().await;
            issue(&store, Flow::Register, 5).await;
            issue(&store, Flow::Login, 5).await;
            let (registering, logging_in) = (attempt(&store, Flow::Register).await, attempt(&store, Flow::Login).await);
            http.spoil("TransactWriteItems", Fault::LoseResponse, lost);
            assert_eq!(register(&store, &registering, "new", NOW).await.unwrap(), Registered::Done, "{lost}");
            http.spoil("TransactWriteItems", Fault::LoseResponse, lost);
            assert!(log_in(&store, &logging_in, "new", NOW).await.unwrap(), "{lost}");
            assert!(has_session(&store).await, "{lost}");
        }
    }

    #[tokio::test]
    async fn what_was_not_carried_out_is_an_error_and_may_be_tried_again() {
        let (store, http) = start().await;
        issue(&store, Flow::Register, 5).await;
        let attempt = attempt(&store, Flow::Register).await;
        http.spoil("TransactWriteItems", Fault::Throttle, 3);
        let error = register(&store, &attempt, "new", NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert_eq!(rows(&store, "phone", "identity").await, [false; 3]);
        assert_eq!(register(&store, &attempt, "new", NOW).await.unwrap(), Registered::Done);
    }

    #[tokio::test]
    async fn the_first_root_key_is_kept_and_no_other_is_taken_by_any_process() {
        let (store, http) = start().await;
        let another = || Users::new(store.users.table.clone());
        let keys = |root: &str| Keys::derive(&root.repeat(32).into()).unwrap();
        assert!(another().check_root_key(&keys("b")).await.is_ok(), "nothing to compare");
        let (one, two) = (another(), another());
        let (a, b) = (keys("a"), keys("b"));
        let (first, second) = tokio::join!(one.keep_root_key(&a), two.keep_root_key(&b));
        assert_ne!(first.is_ok(), second.is_ok(), "of two at once, one");
        let (kept, other) = if first.is_ok() { (a, b) } else { (b, a) };
        http.take_calls();
        for users in [one, two, another()] {
            assert!(users.keep_root_key(&kept).await.is_ok());
            assert!(matches!(users.keep_root_key(&other).await, Err(StoreError::OtherRootKey)));
            assert!(matches!(users.check_root_key(&other).await, Err(StoreError::OtherRootKey)));
        }
        assert_eq!(http.take_calls(), ["BatchGetItem"], "once in a process");
    }
}
