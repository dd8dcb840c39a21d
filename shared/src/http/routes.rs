//! Every route of the service, in one table: the local gateway routes by it, each function finds its own place in it, and the
//! deployed gateway is checked against it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use matchit::Router;

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// What the path stands below: `/api` and `/{appId}/{apiKey}`, or nothing.
    pub roots: &'static [&'static str],
    /// The path below the root; `{name}` is one segment of any text.
    pub path: &'static str,
    /// The function that answers.
    pub function: &'static str,
}

const fn route(method: &'static str, path: &'static str, function: &'static str) -> Route {
    Route { method, roots: &["/api", "/{appId}/{apiKey}"], path, function }
}

/// The path of the public keys for JWTs.
pub const JWKS: &str = "/.well-known/jwks.json";

/// What became of the code of a transaction.
pub const TRANSACTION_STATUS: &str = "/services/Plivo/status/{transactionId}";
/// What became of a message of `sendMessage`.
pub const MESSAGE_STATUS: &str = "/services/Plivo/message/{uuid}";

/// Records a consent.
pub const CONSENT: &str = "/services/Plivo/consent";
/// What a phone has agreed to.
pub const CONSENTS: &str = "/services/Plivo/consent/{phone}";

/// The function that Plivo calls, behind a gateway of its own.
pub const FROM_PLIVO: &str = "plivo-events";
/// A delivery report of a code's SMS.
pub const CODE_REPORT: &str = "/plivo/codes/{sendId}";
/// A delivery report of a message of `sendMessage`.
pub const MESSAGE_REPORT: &str = "/plivo/messages/{sendId}";
/// A message to our number.
pub const INBOUND: &str = "/plivo/inbound";
/// A call was answered.
pub const CALL_ANSWER: &str = "/plivo/calls/{sendId}/answer";
/// A call has ended.
pub const CALL_HANGUP: &str = "/plivo/calls/{sendId}/hangup";

const fn from_plivo(path: &'static str) -> Route {
    Route { method: "POST", roots: &[""], path, function: FROM_PLIVO }
}

/// All routes.
pub const ROUTES: [Route; 41] = [
    route("POST", "/users/register", "register"),
    // The Backendless page's own example lacks a root.
    Route { roots: &[""], ..route("POST", "/users/register", "register") },
    route("POST", "/services/Plivo/loginWithPhoneNumber", "login-phone"),
    route("POST", "/services/Plivo/loginWithPhoneNumberAndPassword", "login-password"),
    route("POST", "/services/Plivo/loginWithCode", "login-code"),
    route("GET", TRANSACTION_STATUS, "login-code"),
    route("POST", "/services/Plivo/sendMessage", "send-message"),
    route("POST", CONSENT, "send-message"),
    route("GET", CONSENTS, "send-message"),
    route("GET", MESSAGE_STATUS, "send-message"),
    route("GET", "/info", "session"),
    route("GET", "/users/isvalidusertoken/{token}", "session"),
    route("GET", "/users/logout", "session"),
    route("GET", "/users/me", "session"),
    route("GET", "/users/sessions", "session"),
    route("DELETE", "/users/sessions", "session"),
    route("DELETE", "/users/sessions/{sessionId}", "session"),
    route("POST", "/users/token", "session"),
    Route { roots: &[""], ..route("GET", "/.well-known/openid-configuration", "session") },
    Route { roots: &[""], ..route("GET", JWKS, "session") },
    // Refused: it would be a login without a code.
    route("POST", "/users/login", "session"),
    route("PUT", "/users/{objectId}", "account"),
    route("DELETE", "/users/{objectId}", "account"),
    route("PUT", "/data/Users", "account"),
    route("GET", "/data/Users/{objectId}", "account"),
    route("DELETE", "/data/Users/{objectId}", "account"),
    route("POST", "/data/Users/find", "account"),
    route("POST", "/data/Users/count", "account"),
    route("GET", "/users/userclassprops", "account"),
    route("GET", "/data/Users/properties", "account"),
    route("GET", "/users/userroles", "account"),
    route("POST", "/users/verifypassword", "account"),
    // So spelt by the SDK.
    route("POST", "/users/verifypassowrd", "account"),
    route("GET", "/users/export", "account"),
    route("GET", "/users/restorepassword/{identity}", "account"),
    route("POST", "/services/Plivo/resetPassword", "account"),
    from_plivo(CODE_REPORT),
    from_plivo(MESSAGE_REPORT),
    from_plivo(INBOUND),
    from_plivo(CALL_ANSWER),
    from_plivo(CALL_HANGUP),
];

/// The function that answers what no route takes.
pub const FALLBACK: &str = "session";

/// What a request's path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A route.
    Route(Match<'a>),
    /// Routes, but for other methods.
    OtherMethods(Vec<&'static str>),
    /// Nothing.
    Nothing,
}

/// A route and what stood in its path.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The route.
    pub route: &'static Route,
    /// Application id and key, where the path holds them.
    pub application: Option<(&'a str, &'a str)>,
    /// The segment that `{…}` stands for.
    pub parameter: Option<&'a str>,
}

/// Finds a path's route. `/api` is a root and never an application's id.
pub fn find<'a>(method: &str, path: &'a str) -> Found<'a> {
    let Ok(found) = ROUTER.at(path) else { return Found::Nothing };
    let parameter = |name| found.params.get(name);
    let application = parameter("appId").zip(parameter("apiKey"));
    if application.is_some_and(|(id, _)| id == "api") {
        return Found::Nothing;
    }
    match found.value.iter().find(|route| route.method == method) {
        Some(route) => {
            let parameter = found.params.iter().find(|(name, _)| !["appId", "apiKey"].contains(name));
            Found::Route(Match { route, application, parameter: parameter.map(|(_, segment)| segment) })
        }
        None => Found::OtherMethods(found.value.iter().map(|route| route.method).collect()),
    }
}

static ROUTER: LazyLock<Router<Vec<&'static Route>>> = LazyLock::new(|| {
    let mut by_path: BTreeMap<String, Vec<&Route>> = BTreeMap::new();
    for route in &ROUTES {
        for root in route.roots {
            by_path.entry(format!("{root}{}", route.path)).or_default().push(route);
        }
    }
    let mut router = Router::new();
    for (path, routes) in by_path {
        // A test finds each route: none of them conflicts.
        let _ = router.insert(path, routes);
    }
    router
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_paths_lead_nowhere() {
        for path in [
            "",
            "/",
            "/api",
            "/api/",
            "/apiusers/register",
            "/users",
            "/info",
            "/api/users",
            "/a/info",
            "/a/b/c/info",
            "/api/users/register/",
            "/api//users/register",
            "/api/data/Users/",
            "/api/services/Plivo/loginwithcode",
            "/api/services/Twilio/loginWithCode",
            "/users/logout",
        ] {
            assert_eq!(find("GET", path), Found::Nothing, "{path}");
        }
    }

    #[test]
    fn other_methods_are_told() {
        assert_eq!(find("PUT", "/api/users/register"), Found::OtherMethods(vec!["POST"]));
        assert_eq!(find("POST", "/a/b/users/logout"), Found::OtherMethods(vec!["GET"]));
    }

    #[test]
    fn each_route_is_found_below_each_root() {
        for route in &ROUTES {
            let path = route
                .path
                .replace("{token}", "T")
                .replace("{objectId}", "T")
                .replace("{sessionId}", "T")
                .replace("{identity}", "T")
                .replace("{phone}", "T")
                .replace("{transactionId}", "T")
                .replace("{uuid}", "T")
                .replace("{sendId}", "T");
            let parameter = route.path.contains('{').then_some("T");
            let rooted = match route.roots {
                [_, _] => vec![(format!("/api{path}"), None), (format!("/A/B{path}"), Some(("A", "B")))],
                _ => vec![(path.clone(), None)],
            };
            for (path, application) in &rooted {
                let expected = Match { route, application: *application, parameter };
                assert_eq!(find(route.method, path), Found::Route(expected), "{path}");
            }
        }
    }
}
