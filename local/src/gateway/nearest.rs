//! What a developer is told of a request that no route takes: its method and path, and the route that is nearest. Only the local gateway adds
//! this to the function's answer.

use axum::http::Method;
use shared::crypto::identifier;
use shared::http::routes::{self, Found, ROUTES, Route};
use strsim::normalized_damerau_levenshtein;

/// The least similarity of a path that is suggested; 1 is the same path.
const SIMILAR: f64 = 0.6;

/// What the stack itself answers below `/_local`.
const LOCAL: [&str; 14] = [
    "messages",
    "code",
    "starts",
    "events",
    "users",
    "sessions",
    "phones",
    "config",
    "environment",
    "clock",
    "plivo",
    "captcha",
    "dead-letters",
    "aws",
];

/// What is wrong with a request's method or path; nothing where there is a route. `url` is that of the stack.
pub(super) fn hint(method: &Method, path: &str, url: &str) -> Option<String> {
    let asked = format!("There is no route {method} {path}.");
    let did_you_mean = |found: Option<(&str, String)>| {
        found.map_or_else(String::new, |(method, path)| format!(" Did you mean {method} {path}?"))
    };
    match routes::find(method.as_str(), path) {
        Found::Route(_) => None,
        Found::OtherMethods(_) if *method == Method::OPTIONS => None,
        Found::OtherMethods(methods) => {
            // `/users/logou` could be the path of a user.
            let is_parameter = !ROUTES.iter().any(|route| route.path == split_root(path).1);
            let similar =
                nearest(method, path, |route| is_parameter && route.method == method.as_str() && is_literal(route));
            Some(format!("{asked} The path takes {}.{}", methods.join(" and "), did_you_mean(similar)))
        }
        Found::Nothing if path == "/_local" || path.starts_with("/_local/") => {
            Some(format!("{asked} Below /_local are {}.", LOCAL.join(", ")))
        }
        Found::Nothing => Some(match (without_key(path), nearest(method, path, |_| true)) {
            (Some(rest), _) => {
                let similar = did_you_mean(nearest(method, &format!("/api{rest}"), |_| true));
                format!("{asked} The root is /api or /{{appId}}/{{apiKey}}.{similar}")
            }
            (None, None) => format!("{asked} Open {url}/ in a browser: it lists all routes."),
            (None, found) => format!("{asked}{}", did_you_mean(found)),
        }),
    }
}

/// The most similar of some routes, as it would be called; above all one that begins like the path.
fn nearest(method: &Method, path: &str, takes: impl Fn(&Route) -> bool) -> Option<(&'static str, String)> {
    let (root, rest) = split_root(path);
    let rest = rest.trim_end_matches('/');
    let rated = |route: &'static Route| {
        let (path, similarity) = compare(route.path, rest);
        let begins_so = route.path.to_lowercase().starts_with(&rest.to_lowercase());
        // Of two routes at one path, the one with the method and below a root.
        let (has_method, has_root) = (route.method == method.as_str(), route.roots.contains(&"/api"));
        (route, path, similarity, (begins_so, is_literal(route), has_method, has_root))
    };
    let similar =
        ROUTES.iter().filter(|route| takes(route)).map(rated).filter(|(_, _, similarity, _)| *similarity >= SIMILAR);
    let (route, path, ..) = similar.max_by(|(_, _, one, first), (_, _, other, second)| {
        first.0.cmp(&second.0).then(one.total_cmp(other)).then(first.cmp(second))
    })?;
    let root = if route.roots.contains(&"/api") { root } else { "" };
    Some((route.method, format!("{root}{path}")))
}

/// Whether a route's path has no parameter.
fn is_literal(route: &Route) -> bool {
    !route.path.contains('{')
}

/// What follows an application's id that no key follows.
fn without_key(path: &str) -> Option<&str> {
    let (application, rest) = path.strip_prefix('/')?.split_once('/')?;
    let is_key = rest.split('/').next().is_some_and(|key| identifier::parse(key).is_some());
    (identifier::parse(application).is_some() && !is_key).then(|| &path[application.len() + 1..])
}

/// The root that a path is below, or else should be, and the rest.
fn split_root(path: &str) -> (&str, &str) {
    if let Some(rest) = path.strip_prefix("/api").filter(|rest| rest.starts_with('/')) {
        return ("/api", rest);
    }
    let mut slashes = path.match_indices('/').map(|(place, _)| place);
    match (path.split('/').nth(1), slashes.nth(2)) {
        (Some(application), Some(end)) if identifier::parse(application).is_some() => path.split_at(end),
        _ => ("/api", path),
    }
}

/// A route's path with the request's own segments for its parameters, and how similar the other segments are.
fn compare(template: &str, path: &str) -> (String, f64) {
    let (expected, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let is_parameter = |place: usize| expected.get(place).is_some_and(|segment| segment.starts_with('{'));
    let pick = |segments: &[&str], parameter: &dyn Fn(usize) -> String| {
        let segment = |(place, segment): (usize, &&str)| {
            if is_parameter(place) { parameter(place) } else { (*segment).to_owned() }
        };
        segments.iter().enumerate().map(segment).collect::<Vec<_>>().join("/")
    };
    let masked = |segments: &[&str]| pick(segments, &|_| "*".to_owned()).to_lowercase();
    let similarity = normalized_damerau_levenshtein(&masked(&expected), &masked(&given));
    let filled =
        |place: usize| given.get(place).filter(|text| !text.is_empty()).unwrap_or(&expected[place]).to_string();
    (pick(&expected, &filled), similarity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_for(method: &str, path: &str) -> Option<String> {
        hint(&method.parse().unwrap(), path, "http://127.0.0.1:3000")
    }

    #[test]
    fn a_route_needs_no_hint() {
        for (method, path) in
            [("POST", "/api/users/register"), ("GET", "/a/b/info"), ("OPTIONS", "/api/users/register")]
        {
            assert_eq!(hint_for(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn the_nearest_route_is_named_as_it_would_be_called() {
        let application = "10CA1000-0000-0000-0000-0000000000A1/10CA1000-0000-0000-0000-0000000000B2";
        for (method, path, nearest) in [
            ("POST", "/api/user/register", "POST /api/users/register"),
            ("GET", "/api/users/register/", "POST /api/users/register"),
            ("POST", "/api/services/plivo/loginwithcode", "POST /api/services/Plivo/loginWithCode"),
            ("POST", "/api/services/Plivo/loginWithPhone", "POST /api/services/Plivo/loginWithPhoneNumber"),
            ("POST", "/api/services/Plivo/login", "POST /api/services/Plivo/loginWithCode"),
            ("DELETE", "/api/users/sessions/", "DELETE /api/users/sessions"),
            ("GET", "/users/logout", "GET /api/users/logout"),
            ("GET", "/api/user/isvalidusertoken/T", "GET /api/users/isvalidusertoken/T"),
            ("PUT", "/api/user/X", "PUT /api/users/X"),
            ("DELETE", "/api/user/X", "DELETE /api/users/X"),
            ("GET", "/.well-known/jwk.json", "GET /.well-known/jwks.json"),
            ("GET", &format!("/{application}/user/me"), &format!("GET /{application}/users/me")),
        ] {
            let expected = format!("There is no route {method} {path}. Did you mean {nearest}?");
            assert_eq!(hint_for(method, path), Some(expected));
        }
    }

    #[test]
    fn a_path_that_resembles_none_is_told_where_all_are() {
        for path in ["/", "/wp-admin", "/api/foo/10CA1000-0000-0000-0000-0000000000A1"] {
            let expected =
                format!("There is no route GET {path}. Open http://127.0.0.1:3000/ in a browser: it lists all routes.");
            assert_eq!(hint_for("GET", path), Some(expected));
        }
    }

    #[test]
    fn an_application_s_id_without_its_key_is_no_root() {
        for (path, similar) in [
            ("/users/register", " Did you mean POST /api/users/register?"),
            ("/user/register", " Did you mean POST /api/users/register?"),
            ("/foo", ""),
        ] {
            let path = format!("/10CA1000-0000-0000-0000-0000000000A1{path}");
            let expected =
                format!("There is no route POST {path}. The root is /api or /{{appId}}/{{apiKey}}.{similar}");
            assert_eq!(hint_for("POST", &path), Some(expected));
        }
    }

    #[test]
    fn paths_below_local_are_told_those_that_are_there() {
        let hint = hint_for("GET", "/_local/users/me").unwrap();
        assert!(
            hint.starts_with("There is no route GET /_local/users/me. Below /_local are messages, code, "),
            "{hint}"
        );
        assert!(!hint.contains("/api"), "{hint}");
    }

    #[test]
    fn another_method_is_told() {
        let hint = hint_for("GET", "/api/users/logou").unwrap();
        assert_eq!(
            hint,
            "There is no route GET /api/users/logou. The path takes PUT and DELETE. Did you mean GET /api/users/logout?"
        );
        let hint = hint_for("GET", "/api/users/10CA1000-0000-0000-0000-0000000000A1").unwrap();
        assert!(hint.ends_with("The path takes PUT and DELETE."), "{hint}");
        let hint = hint_for("PUT", "/api/users/register").unwrap();
        assert_eq!(hint, "There is no route PUT /api/users/register. The path takes POST.");
    }
}
