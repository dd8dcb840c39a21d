//! The operator's console: a page on loopback, by which the people who run Otpost see how it does, find out what became of a person's code, and
//! change what the other commands change. `otpost console` serves it with the operator's own AWS credentials, and the local stack at
//! `/_local/console`. No route of the service leads here.
//!
//! Pages are rendered on the server and work without JavaScript. The one script renews the overview's figures.
//!
//! | module | for |
//! |---|---|
//! | [`access`] | who may open it, and which requests may change something |
//! | [`serve`] | `otpost console` |
//! | `page` | the frame of each page, and its parts |
//! | `chart` | bars, as SVG |
//! | `overview`, `people`, `countries`, `switches`, `test_numbers`, `texts`, `audit` | the views |
//! | [`figures`], [`cloudwatch`] | what the overview counts |

pub mod access;
mod audit;
mod chart;
pub mod cloudwatch;
mod countries;
pub mod figures;
mod overview;
mod page;
mod people;
pub mod serve;
mod switches;
mod test_numbers;
mod texts;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use shared::aws::secrets::Secrets;
use shared::clock::{Clock, Timestamp};
use shared::config::Settings;
use shared::crypto::Keys;
use shared::logging::chain;
use shared::store::Store;
use tokio::sync::watch;

use self::figures::Counts;
use self::page::Notice;
use crate::audit::Author;

/// The colours of all pages that Otpost shows, as CSS.
pub const COLOURS: &str = include_str!("colours.css");
const STYLE: &str = include_str!("console.css");
const SCRIPT: &str = include_str!("console.js");

/// A page loads its own two files, sends forms to its own server, and nothing else. Nothing in the markup is run.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// The longest body of a form, in bytes.
const MAX_FORM: usize = 16 * 1024;
/// The longest reason and name, in characters.
const MAX_REASON: usize = 500;

/// What the console works with: the operator's own rights, and whose stack it is.
pub struct Operator {
    /// The tables.
    pub store: Store,
    /// The root key, by which people are found.
    pub secrets: Secrets,
    /// The stack's settings.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The ARN of whoever runs the console, where AWS says it. Without one, each change asks for a name.
    pub arn: Option<String>,
    /// Which stack it is, in words.
    pub place: String,
    /// Further pages of the same server: name and path.
    pub links: Vec<(&'static str, &'static str)>,
    /// What the service has counted.
    pub counts: Counts,
    /// How often the overview's figures are read again.
    pub refresh: Duration,
    /// Closes when the server stops, which ends the open event streams.
    pub stopped: watch::Receiver<()>,
}

/// An operator, and the path that all of the console is below.
struct Console {
    operator: Operator,
    base: String,
}

type Shared = axum::extract::State<Arc<Console>>;

/// The console below a path like `/_local/console`. Its own address check is for changes only: who may open it is for the server to say.
pub fn router(operator: Operator, base: &str) -> Router {
    let console = Arc::new(Console { operator, base: base.to_owned() });
    let views = Router::new()
        .route("/", get(overview::show))
        .route("/events", get(overview::events))
        .route("/people", get(people::show).post(people::search))
        .route("/people/{user}", get(people::show_user))
        .route("/people/{user}/{action}", post(people::change))
        .route("/unblock", post(people::clear))
        .route("/countries", get(countries::show))
        .route("/switches", get(switches::show).post(switches::change))
        .route("/test-numbers", get(test_numbers::show))
        .route("/texts", get(texts::show).post(texts::check))
        .route("/audit", get(audit::show))
        .route("/console.css", get(|| async { asset("text/css", &[COLOURS, STYLE]) }))
        .route("/console.js", get(|| async { asset("text/javascript", &[SCRIPT]) }))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn(access::refuse_foreign_changes))
        .layer(map_response(protect))
        .with_state(console);
    Router::new().nest(base, views)
}

fn asset(kind: &'static str, parts: &[&str]) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], parts.concat()).into_response()
}

/// Keeps what a page shows on it. The referrer policy lets a form say its own origin, which `no-referrer` would hide, and tells other sites
/// nothing.
async fn protect(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Console {
    fn now(&self) -> Timestamp {
        self.operator.clock.now()
    }

    /// The path of a view.
    fn path(&self, view: &str) -> String {
        format!("{}{view}", self.base)
    }

    /// The keys by which people are found, once they are known to be those of the users.
    async fn keys(&self) -> Result<Arc<Keys>, Failure> {
        let keys = self.operator.secrets.keys(self.now()).await.map_err(|error| Failure::of(&error))?;
        self.operator.store.users.check_root_key(&keys).await.map_err(|error| Failure::of(&error))?;
        Ok(keys)
    }

    /// After a change: back to a view, which says that it is done.
    fn done(&self, view: &str) -> Response {
        Redirect::to(&format!("{}?done=1", self.path(view))).into_response()
    }
}

/// A view cannot be shown, in words for the operator.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    fn of(error: &(dyn Error + 'static)) -> Self {
        Self(chain(error))
    }
}

impl From<Box<dyn Error>> for Failure {
    fn from(error: Box<dyn Error>) -> Self {
        Self::of(error.as_ref())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, page::failure(&self.0)).into_response()
    }
}

/// What a view shows after a change.
#[derive(Debug, Deserialize)]
struct Outcome {
    done: Option<String>,
}

/// Who makes a change and why, as its form says.
#[derive(Debug, Default, Deserialize)]
struct Reason {
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
}

impl Reason {
    /// Who makes the change: by the caller's ARN where there is one, else by the name in the form.
    fn author(&self, operator: &Operator) -> Result<Author, Notice> {
        let arn = operator.arn.as_deref();
        // The name of the user, or that of the session of a role.
        let by = arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or(&self.by);
        if [by, &self.why].iter().any(|text| text.chars().count() > MAX_REASON) {
            return Err(Notice::refused(format!("Use at most {MAX_REASON} characters.")));
        }
        let author = Author::new(by, &self.why, arn.map(str::to_owned));
        author.map_err(|problem| Notice::refused(format!("Nothing is changed: {problem}.")))
    }
}
