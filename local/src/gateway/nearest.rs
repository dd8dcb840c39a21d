//! What a developer is told of a request that no route takes: its method and path, and the route that is nearest. Only the local gateway adds
//! this to the function's answer.

use axum::http::Method;
use serde_json::{Value, json};
use shared::crypto::identifier;
use shared::http::routes::{self, Found, ROUTES, Route};
use strsim::normalized_damerau_levenshtein;

/// The least similarity of a path that is suggested; 1 is the same path.
const SIMILAR: f64 = 0.6;

/// What is wrong with a request's method or path; nothing where there is a route.
pub(super) fn hint(method: &Method, path: &str) -> Option<String> {
    let asked = format!("There is no route {method} {path}.");
    match routes::find(method.as_str(), path) {
        Found::Route(_) => None,
        Found::OtherMethods(_) if *method == Method::OPTIONS => None,
        Found::OtherMethods(methods) => Some(format!("{asked} The path takes {}.", methods.join(" and "))),
        Found::Nothing => Some(match nearest(method, path) {
            Some((method, path)) => format!("{asked} Did you mean {method} {path}?"),
            None => format!("{asked} The page at / lists all routes."),
        }),
    }
}

/// Adds the hint to the `errorData` of a function's answer.
pub(super) fn add(answer: &mut Value, hint: &str) {
    let body = answer["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    if let Some(mut body) = body.filter(|body| body["errorData"].is_object()) {
        body["errorData"]["hint"] = json!(hint);
        answer["body"] = json!(body.to_string());
    }
}

/// The most similar route, as it would be called.
fn nearest(method: &Method, path: &str) -> Option<(&'static str, String)> {
    let (root, rest) = split_root(path);
    let rated = |route: &'static Route| {
        let (path, similarity) = compare(route.path, rest);
        // Of two routes at one path, the one with the method and below a root.
        let method = if route.method == method.as_str() { 0.01 } else { 0.0 };
        let root = if route.roots.contains(&"/api") { 0.001 } else { 0.0 };
        (route, path, similarity + method + root)
    };
    let best = ROUTES.iter().map(rated).filter(|(.., similarity)| *similarity >= SIMILAR);
    let (route, path, _) = best.max_by(|(.., one), (.., other)| one.total_cmp(other))?;
    let root = if route.roots.contains(&"/api") { root } else { "" };
    Some((route.method, format!("{root}{path}")))
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
        hint(&method.parse().unwrap(), path)
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
            let expected = format!("There is no route GET {path}. The page at / lists all routes.");
            assert_eq!(hint_for("GET", path), Some(expected));
        }
    }

    #[test]
    fn another_method_is_told() {
        let hint = hint_for("PUT", "/api/users/register").unwrap();
        assert_eq!(hint, "There is no route PUT /api/users/register. The path takes POST.");
    }

    #[test]
    fn only_an_error_s_data_gets_the_hint() {
        let mut answer = json!({"body": r#"{"code":1,"errorData":{"reason":"not_found"}}"#});
        add(&mut answer, "why");
        assert_eq!(answer["body"], r#"{"code":1,"errorData":{"reason":"not_found","hint":"why"}}"#);
        for other in [json!({}), json!({"body": ""}), json!({"body": "{}"})] {
            let mut same = other.clone();
            add(&mut same, "why");
            assert_eq!(same, other);
        }
    }
}
