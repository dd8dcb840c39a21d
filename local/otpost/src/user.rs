//! The operator's commands about users: find one, disable and enable it, end its sessions, delete it, release its e-mail address, give it roles.
//! All look items up by their key. Each change is recorded with who made it and why, before it is made.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use phone_number::{Country, PhoneNumber};
use serde::Serialize;
use shared::auth::email::Email;
use shared::clock::Timestamp;
use shared::crypto::{KeyedHash, Keys};
use shared::messaging::consent;
use shared::store::{ConsentKey, PhoneKey, Profile, Store};

use crate::audit::Author;
use crate::{Iso, listed};

/// What to do with a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// No more codes and logins; all sessions end.
    Disable,
    /// The opposite.
    Enable,
    /// End all sessions, and the tokens of devices.
    SignOut,
    /// Delete the user and everything of it.
    Delete,
    /// Free the e-mail address for others: nobody has shown whose it is.
    ReleaseEmail,
    /// Give a role.
    AddRole(String),
    /// Take a role.
    RemoveRole(String),
}

impl Action {
    fn words(&self) -> String {
        match self {
            Self::Disable => "disable".to_owned(),
            Self::Enable => "enable".to_owned(),
            Self::SignOut => "sign-out".to_owned(),
            Self::Delete => "delete".to_owned(),
            Self::ReleaseEmail => "release-email".to_owned(),
            Self::AddRole(role) => format!("role add {role}"),
            Self::RemoveRole(role) => format!("role remove {role}"),
        }
    }
}

/// A user that was found.
#[derive(Debug)]
pub struct Found {
    id: String,
    profile: Profile,
    phone: KeyedHash,
    identity: Option<KeyedHash>,
    consents: ConsentKey,
}

impl Found {
    /// The objectId.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is kept about the user.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The phone (E.164).
    pub fn phone(&self) -> &str {
        &self.profile.phone
    }

    /// The e-mail address.
    pub fn email(&self) -> Option<&str> {
        self.profile.email.as_deref()
    }
}

/// Finds a user by phone (`+…`), e-mail address, or objectId.
///
/// # Errors
/// When there is none, or storage fails.
pub async fn find(store: &Store, keys: &Keys, country: Country, who: &str) -> Result<Found, Box<dyn Error>> {
    Ok(find_if_any(store, keys, country, who).await?.ok_or("there is no such user")?)
}

/// The same; `None` where there is no such user.
///
/// # Errors
/// When it is neither phone nor e-mail address but looks like one, or storage fails.
pub async fn find_if_any(
    store: &Store,
    keys: &Keys,
    country: Country,
    who: &str,
) -> Result<Option<Found>, Box<dyn Error>> {
    let id = if who.contains('@') {
        let email = Email::parse(who).ok_or("that is no e-mail address")?;
        store.users.identity_owner(&keys.identity(email.identity())).await?
    } else if who.starts_with('+') {
        let phone = PhoneNumber::parse(who, country)?;
        store.users.owner(&keys.phone(phone.e164())).await?.map(|owner| owner.user)
    } else {
        Some(who.to_owned())
    };
    let Some(id) = id else { return Ok(None) };
    let Some(profile) = store.users.profile(&id).await? else { return Ok(None) };
    let identity = profile.email.as_deref().and_then(Email::parse).map(|email| keys.identity(email.identity()));
    let consents = consent::key(keys, &profile.phone);
    Ok(Some(Found { phone: keys.phone(&profile.phone), id, profile, identity, consents }))
}

/// What is known of a user, for the operator.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserReport {
    /// The objectId.
    pub object_id: String,
    /// The phone (E.164).
    pub phone: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// `ENABLED` or `DISABLED`, or another of Backendless' words.
    pub status: String,
    /// The time of the registration.
    pub created: Iso,
    /// The time of the last login.
    pub last_login: Option<Iso>,
    /// The roles that were given.
    pub roles: Vec<String>,
    /// How many sessions there are.
    pub sessions: usize,
}

impl From<&Found> for UserReport {
    fn from(Found { id, profile, .. }: &Found) -> Self {
        Self {
            object_id: id.clone(),
            phone: profile.phone.clone(),
            email: profile.email.clone(),
            status: profile.status.clone(),
            created: Iso(profile.created),
            last_login: profile.last_login.map(Iso),
            roles: profile.roles.iter().cloned().collect(),
            sessions: profile.session_entries().len(),
        }
    }
}

impl fmt::Display for UserReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.object_id)?;
        for (name, value) in [
            ("phone", self.phone.clone()),
            ("email", self.email.clone().unwrap_or_default()),
            ("status", self.status.clone()),
            ("created", self.created.to_string()),
            ("login", self.last_login.map_or_else(|| "never".to_owned(), |login| login.to_string())),
            ("roles", listed(&self.roles, "")),
            ("sessions", self.sessions.to_string()),
        ] {
            writeln!(f, "  {name:<8} {value}")?;
        }
        Ok(())
    }
}

/// A user who was deleted.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// The objectId.
    pub object_id: String,
    /// True.
    pub deleted: bool,
}

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is deleted", self.object_id)
    }
}

/// Records the change in the audit log, then makes it.
///
/// # Errors
/// When the user changes at the same moment, or storage fails.
pub async fn change(
    store: &Store,
    found: &Found,
    action: &Action,
    author: &Author,
    now: Timestamp,
) -> Result<(), Box<dyn Error>> {
    let Found { id, profile, phone, identity, consents } = found;
    store.controls.record_audit(&author.entry(action.words(), Some(id), now)).await?;
    let users = &store.users;
    let is_done = match action {
        Action::Disable => users.set_status(&store.sessions, id, profile, phone, false).await?,
        Action::Enable => users.set_status(&store.sessions, id, profile, phone, true).await?,
        Action::SignOut => {
            users.end_sessions(&store.sessions, id, &profile.session_entries()).await?;
            store.phones.forget_devices(PhoneKey(phone.short()), now).await?;
            true
        }
        Action::Delete => {
            let is_done = users.delete(&store.sessions, id, profile, phone, identity.as_ref()).await?;
            // All codes: none lives for a day.
            let tomorrow = now.plus(Duration::from_hours(24));
            // A reset by the e-mail address has its code in the address's item.
            for item in std::iter::once(phone).chain(identity) {
                store.phones.forget_devices_and_codes(PhoneKey(item.short()), tomorrow, now).await?;
            }
            consent::forget_texts(store, *consents, now).await?;
            is_done
        }
        Action::ReleaseEmail => {
            let identity = identity.as_ref().ok_or("the user has no e-mail address")?;
            users.release_email(id, identity).await?
        }
        Action::AddRole(role) | Action::RemoveRole(role) => {
            let role = check_role(role)?;
            users.change_role(id, role, matches!(action, Action::AddRole(_))).await?
        }
    };
    if is_done { Ok(()) } else { Err("the user has just changed: try again".into()) }
}

/// A role is a name that is none of Backendless' own.
fn check_role(role: &str) -> Result<&str, Box<dyn Error>> {
    let is_own = ["AuthenticatedUser", "NotAuthenticatedUser", "RestUser"].contains(&role);
    if is_own || !shared::auth::properties::is_name(role) {
        Err(format!("{role} cannot be given").into())
    } else {
        Ok(role)
    }
}
