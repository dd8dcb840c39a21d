//! The page at `/`: what runs here, its keys, where to look, and all routes. A browser on this machine gets it; everybody else gets the
//! gateway's answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Request, header};
use axum::response::{Html, IntoResponse as _};
use axum::routing::get;
use shared::http::routes::{ROUTES, Route};

use crate::Config;
use crate::gateway::{self, Gateway};
use crate::inbox;
use crate::openapi::{Operation, operations};

/// The page, with `{name}` in place of what differs between stacks. It loads no other file.
const PAGE: &str = include_str!("page.html");

/// The page's route.
pub(crate) fn router(config: &Config) -> Router<Arc<Gateway>> {
    let page = page(config);
    let policy = inbox::content_security_policy(&page);
    let respond = async move |gateway: State<Arc<Gateway>>, client: ConnectInfo<_>, request: Request<Body>| {
        if accepts_html(request.headers()) && inbox::is_local_request(&request) {
            let response = ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response();
            inbox::add_security_headers(response).await
        } else {
            gateway::respond(gateway, client, request).await
        }
    };
    Router::new().route("/", get(respond).fallback(gateway::respond))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

fn page(config: &Config) -> String {
    let fields = [
        ("{url}", &config.url),
        ("{appId}", &config.app_id),
        ("{apiKey}", &config.api_key),
        ("{messageKey}", &config.message_key),
    ];
    let routes: String = ROUTES.iter().map(row).collect();
    let page = PAGE.replace("/*colours*/", inbox::COLOURS).replace("{routes}", &routes);
    fields.iter().fold(page, |page, (name, value)| page.replace(&format!("<!--{name}-->"), &escape(value)))
}

/// A row of the table of routes.
fn row(route: &Route) -> String {
    let Route { method, path, function, roots } = route;
    let root = if roots.contains(&"/api") { "/api" } else { "" };
    let is_twin = |other: &&Route| (other.method, other.path) == (*method, *path) && other.roots != *roots;
    let note = match ROUTES.iter().find(is_twin) {
        Some(_) if root.is_empty() => "The same, without a root".to_owned(),
        _ => escape(summary(route)),
    };
    let class = method.to_lowercase();
    // A narrow screen breaks a path at its slashes.
    let path = escape(&format!("{root}{path}")).replace('/', "/<wbr>");
    format!(
        "<tr role=\"row\"><td role=\"cell\"><span class=\"method {class}\">{method}</span></td><td role=\"cell\"><code>{path}</code></td>\
         <td role=\"cell\">{note}</td><td role=\"cell\">{function}</td></tr>\n"
    )
}

/// What a route does, as the OpenAPI document says.
fn summary(Route { method, path, .. }: &Route) -> &'static str {
    let of_route = |one: &Operation| (one.method, one.path) == (*method, *path);
    operations().into_iter().find(of_route).map_or("", |operation| operation.summary)
}

/// Text for HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_who_accepts_html_gets_the_page() {
        for (accept, is_browser) in [
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), true),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (None, false),
        ] {
            let accept = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
            assert_eq!(accepts_html(&accept.into_iter().collect()), is_browser);
        }
    }

    #[test]
    fn every_route_says_what_it_does() {
        for route in &ROUTES {
            assert_ne!(summary(route), "", "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn no_two_rows_say_the_same() {
        let mut notes: Vec<_> = ROUTES.iter().map(|route| row(route).split("<td").nth(3).unwrap().to_owned()).collect();
        notes.retain(|note| note.contains("Register") || note.contains("without a root"));
        assert_eq!(notes.len(), 2);
        assert_ne!(notes[0], notes[1]);
    }

    #[test]
    fn settings_are_text_and_nothing_is_left_open() {
        let config = Config {
            url: "http://127.0.0.1:3000".to_owned(),
            app_id: "<b>\"&".to_owned(),
            api_key: "key".to_owned(),
            message_key: "message".to_owned(),
            plivo_auth_id: String::new(),
            plivo_auth_token: String::new(),
            dynamodb_endpoint: String::new(),
            secrets_endpoint: String::new(),
            sqs_endpoint: String::new(),
        };
        let page = page(&config);
        assert!(page.contains("&lt;b&gt;&quot;&amp;") && !page.contains("<b>\""));
        assert!(!page.contains("<!--{") && !page.contains("{routes}"));
    }
}
