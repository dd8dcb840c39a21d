//! `POST data/Users/find` and `count`: over the one user that the caller may see.

use lambda_http::Request;
use serde_json::{Map, Value, json};
use shared::app::App;
use shared::auth::session;
use shared::http::{self, Duplicates, Fields, Problem, Reason};

/// What the SDK sends with a query.
struct Query {
    condition: Option<String>,
    props: Option<String>,
    exclude_props: Option<String>,
    offset: i64,
    page_size: i64,
}

impl Query {
    /// Reads the body. The SDK sends none where there is no query, and fields that make no difference to a list of one.
    fn read(request: &Request) -> Result<Self, Problem> {
        let mut fields = match http::body(request, Duplicates::Service) {
            Err(problem) if problem.reason() == Reason::EmptyBody => Fields(Map::new()),
            fields => fields?,
        };
        Ok(Self {
            condition: fields.optional_string("where")?,
            props: fields.optional_string("props")?,
            exclude_props: fields.optional_string("excludeProps")?,
            offset: number(&mut fields, "offset")?.unwrap_or(0),
            page_size: number(&mut fields, "pageSize")?.unwrap_or(1),
        })
    }
}

/// A number from 0 on, if it is there.
fn number(fields: &mut Fields, name: &str) -> Result<Option<i64>, Problem> {
    let number = |value: Value| value.as_i64().filter(|number| *number >= 0);
    let read = |value| number(value).ok_or_else(|| Problem::field(Reason::WrongType, name));
    fields.take(name).map(read).transpose()
}

/// A list that holds the caller's user, unless the query excludes it.
pub(crate) async fn find(app: &App, request: &Request) -> Result<Value, Problem> {
    let query = Query::read(request)?;
    let user = own(app, request).await?;
    if !matches(&user, query.condition.as_deref())? || query.offset > 0 || query.page_size == 0 {
        return Ok(json!([]));
    }
    Ok(json!([selected(user, query.props.as_deref(), query.exclude_props.as_deref())]))
}

/// How many users the query finds: one at most.
pub(crate) async fn count(app: &App, request: &Request) -> Result<Value, Problem> {
    let query = Query::read(request)?;
    let user = own(app, request).await?;
    Ok(json!(u8::from(matches(&user, query.condition.as_deref())?)))
}

async fn own(app: &App, request: &Request) -> Result<Map<String, Value>, Problem> {
    let (id, profile) = session::me(app, http::user_token(request)?).await?;
    match http::user(&app.settings, &id, &profile) {
        Value::Object(user) => Ok(user),
        _ => Err(Problem::new(Reason::Internal)),
    }
}

/// Whether the user meets a condition of the form `name = 'text'` or `name = 1`; all others are refused, rather than answered wrongly.
fn matches(user: &Map<String, Value>, condition: Option<&str>) -> Result<bool, Problem> {
    let Some(condition) = condition.filter(|text| !text.trim().is_empty()) else { return Ok(true) };
    let refused = || Problem::field(Reason::InvalidQuery, "where");
    let (name, value) = condition.split_once('=').ok_or_else(refused)?;
    let (name, value) = (name.trim(), value.trim());
    let quoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    let expected = match quoted {
        Some(text) if !text.contains('\'') => json!(text),
        None => serde_json::from_str(value).map_err(|_| refused())?,
        Some(_) => return Err(refused()),
    };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { Ok(user.get(name).unwrap_or(&Value::Null) == &expected) } else { Err(refused()) }
}

/// The user with the named properties only, or without some.
fn selected(mut user: Map<String, Value>, props: Option<&str>, without: Option<&str>) -> Map<String, Value> {
    let is_in = |list: &str, name: &str| list.split(',').any(|listed| listed.trim() == name || listed.trim() == "*");
    let always = ["objectId", "___class"];
    user.retain(|name, _| {
        let is_wanted = props.is_none_or(|list| list.trim().is_empty() || is_in(list, name));
        always.contains(&name.as_str()) || is_wanted && !without.is_some_and(|list| is_in(list, name))
    });
    user
}
