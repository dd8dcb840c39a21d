//! `/demo/`: a page with the web component `<phone-login>` of `clients/typescript`, as an app would show it.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::Redirect;
use axum::routing::get;

/// The page loads its own files and asks this server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../clients/typescript/", $name))
    };
}

/// Path, content type and text of each file.
const FILES: [(&str, &str, &str); 5] = [
    ("/demo/", "text/html; charset=utf-8", file!("demo.html")),
    ("/demo/demo.css", "text/css", file!("demo.css")),
    ("/demo/demo.js", "text/javascript", file!("demo.js")),
    ("/demo/client.js", "text/javascript", file!("dist/client.js")),
    ("/demo/phone-login.js", "text/javascript", file!("dist/phone-login.js")),
];

/// The routes.
pub(crate) fn router() -> Router {
    let redirect = get(|| async { Redirect::permanent("/demo/") });
    FILES.into_iter().fold(Router::new().route("/demo", redirect), |router, (path, kind, text)| {
        router
            .route(path, get(move || async move { ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, POLICY)], text) }))
    })
}
