//! The names of a user's properties: which texts can be one, and which are ours. Uses nothing of this crate.

/// The longest name, in bytes.
pub const LONGEST: usize = 64;

/// Names that the service itself gives a meaning. What a caller sends under one of them never reaches a user.
pub const RESERVED: [&str; 17] = [
    "objectId",
    "ownerId",
    "created",
    "updated",
    "lastLogin",
    "userStatus",
    "user-token",
    "socialAccount",
    "blUserLocale",
    "email",
    "password",
    "transactionId",
    "transactioniId",
    "transactionCode",
    "roles",
    "userRoles",
    "oAuthIdentities",
];

/// Reserved names that Backendless answers with an error of their own instead of dropping them: name and code.
pub const REFUSED: [(&str, u32); 3] = [("objectId", 3039), ("updated", 3076), ("created", 3077)];

/// Whether a name has a meaning of ours: the list, and everything that begins like Backendless' own (`___class`, `__meta`).
pub fn is_reserved(name: &str) -> bool {
    name.starts_with("__") || RESERVED.contains(&name)
}

/// Whether a text can be a property's name: a letter, then letters, digits and `_`.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= LONGEST
        && bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
