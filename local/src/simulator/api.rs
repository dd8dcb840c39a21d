//! The resources under `/v1/Account/{auth_id}/` and their handlers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, RawPathParams, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Map, Value, json};

use super::call::CallRequest;
use super::fault::Fault;
use super::list::Listing;
use super::request::Outgoing;
use super::response::{self, Refused};
use super::{Course, Simulator, Subject};

/// The simulator's own limit: room for a thousand numbers, the longest text and ten long links, with every character escaped.
const MAX_BODY: usize = 256 * 1_024;

/// The routes of the account. The status is 404 for resources that are not simulated, and 405 for methods that a resource lacks.
pub(super) fn router(simulator: Simulator) -> Router {
    Router::new()
        .route("/v1/Account/{account}/", get(account))
        .route("/v1/Account/{account}//", get(account)) // what the official Node SDK requests
        .route("/v1/Account/{account}/Message/", get(list_messages).post(send_message))
        .route("/v1/Account/{account}/Message/{uuid}/", get(one_message))
        .route("/v1/Account/{account}/Message/{uuid}/Media/", get(media_of_message))
        .route("/v1/Account/{account}/Call/", post(make_call))
        .route("/v1/Account/{account}/Call/{uuid}/", get(one_call))
        .route("/v1/Account/{account}/{*resource}", any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(simulator)
}

/// A client that knows the credentials of the account in the path.
struct Authorized;

/// The response to any other client.
struct Unauthorized;

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        response::of_status(StatusCode::UNAUTHORIZED)
    }
}

impl FromRequestParts<Simulator> for Authorized {
    type Rejection = Unauthorized;

    async fn from_request_parts(parts: &mut Parts, simulator: &Simulator) -> Result<Self, Unauthorized> {
        let params = RawPathParams::from_request_parts(parts, simulator).await.map_err(|_| Unauthorized)?;
        let own_account = params.iter().any(|(name, value)| name == "account" && value == simulator.auth_id());
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let known = header.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, given)| {
            scheme.eq_ignore_ascii_case("basic") && given.trim() == simulator.credentials()
        });
        if own_account && known { Ok(Self) } else { Err(Unauthorized) }
    }
}

async fn not_found(_: Authorized) -> Response {
    response::of_status(StatusCode::NOT_FOUND)
}

async fn method_not_allowed(_: Authorized) -> Response {
    response::of_status(StatusCode::METHOD_NOT_ALLOWED)
}

async fn account(_: Authorized, State(simulator): State<Simulator>) -> Response {
    let fault = simulator.fault().of_reading();
    if let Some(answer) = fault.instead() {
        return answer;
    }
    let auth_id = simulator.auth_id();
    let answer = response::object(
        StatusCode::OK,
        json!({
            "account_type": "standard",
            "address": "1 Simulator Street",
            "auth_id": auth_id,
            "auto_recharge": false,
            "billing_mode": "prepaid",
            "cash_credits": "25.00000",
            "city": "Localhost",
            "name": "Otpost simulator",
            "resource_uri": format!("/v1/Account/{auth_id}/"),
            "state": "California",
            "timezone": "UTC",
        }),
    );
    fault.spoil(answer).await
}

async fn send_message(
    simulator: State<Simulator>,
    authorized: Result<Authorized, Unauthorized>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    process(&simulator, Subject::Message, authorized, &headers, body).await
}

async fn make_call(
    simulator: State<Simulator>,
    authorized: Result<Authorized, Unauthorized>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    process(&simulator, Subject::Call, authorized, &headers, body).await
}

/// Counts the request, and responds to it by the fault that is injected.
async fn process(
    simulator: &Simulator,
    subject: Subject,
    authorized: Result<Authorized, Unauthorized>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    simulator.count_request(subject);
    if let Err(unauthorized) = authorized {
        return unauthorized.into_response();
    }
    let bytes = body.as_deref().unwrap_or_default();
    let parameters = parameters(headers, bytes);
    let numbers = if subject == Subject::Call { "to" } else { "dst" };
    let numbers = parameters.as_ref().ok().and_then(|parameters| parameters.get(numbers)?.as_str());
    let fault = simulator.fault_of(subject, numbers.unwrap_or_default(), bytes);
    if let Some(answer) = fault.instead() {
        return answer;
    }
    let accept = if subject == Subject::Call { accept_call } else { accept_message };
    let answer = match (&body, parameters) {
        (Ok(_), Ok(parameters)) => accept(simulator, &parameters, &fault).unwrap_or_else(IntoResponse::into_response),
        (Ok(_), Err(refused)) => refused.into_response(),
        (Err(rejection), _) => response::error(rejection.status(), "request body cannot be read or is too large"),
    };
    fault.spoil(answer).await
}

/// Keeps the messages of a good request, and responds to it.
fn accept_message(simulator: &Simulator, parameters: &Map<String, Value>, fault: &Fault) -> Result<Response, Refused> {
    let mut outgoing = Outgoing::parse(parameters)?;
    let invalid = std::mem::take(&mut outgoing.invalid);
    let (outcome, waits, callbacks) = (fault.outcome(), fault.waits(), fault.callbacks());
    let uuids = simulator.keep(outgoing, Course { outcome, waits, callbacks, ignores_block: false });
    tracing::debug!(messages = uuids.len(), first_uuid = uuids.first(), "simulator.kept");

    let mut fields = json!({"message": "message(s) queued", "message_uuid": uuids});
    if !invalid.is_empty() {
        fields["invalid_number"] = invalid.into();
    }
    Ok(response::object(StatusCode::ACCEPTED, fields))
}

/// Makes the calls of a good request, and responds to it.
fn accept_call(simulator: &Simulator, parameters: &Map<String, Value>, fault: &Fault) -> Result<Response, Refused> {
    let (request, numbers) = CallRequest::parse(parameters)?;
    let mut uuids = simulator.call(request, numbers, fault.call(), fault.callbacks());
    let fields = match uuids.pop() {
        Some(uuid) if uuids.is_empty() => json!({"message": "call fired", "request_uuid": uuid}),
        last => {
            uuids.extend(last);
            json!({"message": "calls fired", "request_uuid": uuids})
        }
    };
    Ok(response::object(StatusCode::CREATED, fields))
}

/// Plivo has records of calls that have ended.
async fn one_call(
    _: Authorized,
    State(simulator): State<Simulator>,
    Path((_, uuid)): Path<(String, String)>,
) -> Response {
    let message = simulator.find(&uuid);
    let ended = message.as_ref().and_then(|message| message.call()).filter(|call| call.at <= simulator.now());
    match (&message, ended) {
        (Some(message), Some(call)) => response::object(StatusCode::OK, call.record(simulator.auth_id(), message)),
        _ => response::of_status(StatusCode::NOT_FOUND),
    }
}

/// The parameters of a body: JSON, which Plivo documents, or a form.
fn parameters(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let parameters = if content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        form(body)
    } else {
        serde_json::from_slice(body).ok()
    };
    // Plivo's own words, as its users report them.
    parameters.ok_or_else(|| Refused("invalid json data sent in raw POST".to_owned()))
}

/// Reads a form with the query decoder. `media_urls` is repeated for each link.
fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let uri = Uri::builder().path_and_query(format!("/?{}", std::str::from_utf8(body).ok()?)).build().ok()?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    let mut parameters = Map::new();
    for (name, value) in pairs {
        if name == "media_urls" {
            match parameters.entry(name).or_insert_with(|| json!([])) {
                Value::Array(urls) => urls.push(value.into()),
                other => *other = json!([value]),
            }
        } else {
            parameters.insert(name, value.into());
        }
    }
    Some(parameters)
}

async fn list_messages(
    _: Authorized,
    State(simulator): State<Simulator>,
    Query(query): Query<Vec<(String, String)>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refused> {
    let listing = Listing::parse(&query)?;
    let mut messages = simulator.all();
    messages.retain(|message| message.call().is_none());
    let place = (simulator.auth_id(), raw.as_deref().unwrap_or(""));
    let page = listing.page(messages.iter().map(AsRef::as_ref), simulator.now(), place);
    Ok(response::object(StatusCode::OK, page))
}

async fn one_message(
    _: Authorized,
    State(simulator): State<Simulator>,
    Path((_, uuid)): Path<(String, String)>,
) -> Response {
    match simulator.find(&uuid).filter(|message| message.call().is_none()) {
        Some(message) => response::object(StatusCode::OK, message.record(simulator.auth_id(), simulator.now())),
        None => response::of_status(StatusCode::NOT_FOUND),
    }
}

async fn media_of_message(
    _: Authorized,
    State(simulator): State<Simulator>,
    Path((_, uuid)): Path<(String, String)>,
) -> Response {
    let Some(message) = simulator.find(&uuid) else {
        return response::of_status(StatusCode::NOT_FOUND);
    };
    let objects = message.media();
    let meta = json!({"limit": 20, "next": null, "offset": 0, "previous": null, "total_count": objects.len()});
    response::object(StatusCode::OK, json!({"meta": meta, "message_uuid": uuid, "objects": objects}))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ACCOUNT, BASIC, at, get, read, request, send, sms};
    use super::*;

    #[tokio::test]
    async fn wrong_credentials_and_foreign_accounts_get_plain_text() {
        let (simulator, _) = at(1_000);
        let own = format!("/v1/Account/{ACCOUNT}/");
        for (method, path, authorization) in [
            ("GET", own.as_str(), None),
            ("GET", own.as_str(), Some("Basic bm9ib2R5Om5vdGhpbmc=")),
            ("GET", own.as_str(), Some("Bearer token")),
            ("GET", "/v1/Account/MAYYYYYYYYYYYYYYYYYY/", Some(BASIC)),
            ("POST", &format!("{own}Message/"), None),
            ("GET", &format!("{own}Message/"), None),
            ("DELETE", &format!("{own}Message/"), None),
            ("POST", &format!("{own}Call/"), None),
        ] {
            let answer = read(&simulator, method, path, authorization, "{}").await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (401, Some("text/plain; charset=utf-8")),
                "{method} {path}"
            );
            assert_eq!(
                answer.text,
                "Could not verify your access level for that URL. You have to login with proper credentials"
            );
        }
        assert_eq!((simulator.message_calls(), simulator.call_requests()), (1, 1), "refused requests count too");
    }

    #[tokio::test]
    async fn other_resources_and_methods_are_refused_in_json() {
        let (simulator, _) = at(1_000);
        for resource in [
            "Call/unknown/",
            "Verify/Session/",
            "Message",
            "Message/unknown/",
            "Message/unknown/Media/",
            "Message/a/b/c/",
        ] {
            let answer = get(&simulator, resource).await;
            assert_eq!((answer.status, &answer.json["error"]), (404, &json!("not found")), "{resource}");
            assert!(answer.json["api_id"].is_string());
        }
        for (method, resource) in [
            ("DELETE", "Message/"),
            ("PUT", "Message/"),
            ("POST", ""),
            ("POST", "Message/x/"),
            ("POST", "Message/x/Media/"),
            ("GET", "Call/"),
            ("DELETE", "Call/x/"),
        ] {
            let answer = request(&simulator, method, resource, "{}").await;
            assert_eq!(
                (answer.status, &answer.json["error"]),
                (405, &json!("method not allowed")),
                "{method} {resource}"
            );
            assert!(answer.json["api_id"].is_string());
        }
    }

    #[tokio::test]
    async fn bodies_that_are_no_json_objects_are_refused() {
        let (simulator, _) = at(1_000);
        for body in ["", "{", "[]", "\"text\"", "src=1"] {
            let answer = request(&simulator, "POST", "Message/", body).await;
            assert_eq!(
                (answer.status, &answer.json["error"]),
                (400, &json!("invalid json data sent in raw POST")),
                "{body}"
            );
        }
        let huge = format!("{{\"text\":\"{}\"}}", "a".repeat(MAX_BODY));
        let answer = request(&simulator, "POST", "Message/", &huge).await;
        assert_eq!(answer.status, 413);
        assert!(answer.json["error"].is_string());
        assert_eq!(simulator.message_calls(), 6);
        assert!(simulator.messages(None).is_empty());
    }

    #[tokio::test]
    async fn a_bulk_message_names_the_numbers_that_are_none() {
        let (simulator, _) = at(1_000);
        let answer =
            send(&simulator, json!({"src": "14155550100", "dst": "15550001111<1111111<15550002222", "text": "hello"}))
                .await;
        assert_eq!((answer.status, &answer.json["invalid_number"]), (202, &json!(["1111111"])));

        let uuids = answer.json["message_uuid"].as_array().unwrap();
        for (uuid, to) in uuids.iter().zip(["15550001111", "15550002222"]) {
            let record = get(&simulator, &format!("Message/{}/", uuid.as_str().unwrap())).await;
            assert_eq!(record.json["to_number"], to);
        }
        assert_eq!(uuids.len(), 2);
    }

    #[tokio::test]
    async fn an_accepted_message_answers_its_id_and_can_be_read_back() {
        let (simulator, clock) = at(1_590_503_533_000);
        let answer = sms(&simulator, "+1 (555) 000-1111", "hello").await;
        assert_eq!((answer.status, &answer.json["message"]), (202, &json!("message(s) queued")));
        let keys: Vec<_> = answer.json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["message", "message_uuid", "api_id"]);

        let uuid = answer.json["message_uuid"][0].as_str().unwrap();
        let record = get(&simulator, &format!("Message/{uuid}/")).await;
        assert_eq!((record.status, &record.json["message_state"]), (200, &json!("queued")));
        assert_eq!(record.json["message_time"], "2020-05-26 14:32:13.000000+00:00");
        assert_eq!(record.json["resource_uri"], format!("/v1/Account/{ACCOUNT}/Message/{uuid}/"));
        assert!(record.json["api_id"].is_string());
        clock.set(1_590_503_535_000);
        assert_eq!(get(&simulator, &format!("Message/{uuid}/")).await.json["message_state"], "delivered");
        assert_eq!(simulator.messages(None)[0].id, uuid);
    }

    #[tokio::test]
    async fn media_of_a_message_are_listed() {
        let (simulator, _) = at(1_000);
        let urls = ["https://example.com/cat.jpg", "https://example.com/b?x=1.png"];
        let answer =
            send(&simulator, json!({"src": "14155550100", "dst": "15550001111", "type": "mms", "media_urls": urls}))
                .await;
        let uuid = answer.json["message_uuid"][0].as_str().unwrap();

        let media = get(&simulator, &format!("Message/{uuid}/Media/")).await;
        assert_eq!((media.status, &media.json["meta"]["total_count"]), (200, &json!(2)));
        assert_eq!(media.json["message_uuid"], uuid);
        assert_eq!(media.json["objects"][0]["media_url"], urls[0]);
        assert_eq!(media.json["objects"][0]["content_type"], "image/jpeg");
        assert_eq!(media.json["objects"][1]["content_type"], "application/octet-stream");
        assert_eq!(simulator.messages(None)[0].media_urls, urls);
    }

    #[tokio::test]
    async fn the_account_is_told_with_one_slash_or_two_and_with_a_body() {
        let (simulator, _) = at(1_000);
        for resource in ["", "/"] {
            let answer = request(&simulator, "GET", resource, "{}").await;
            assert_eq!((answer.status, &answer.json["auth_id"]), (200, &json!(ACCOUNT)));
            assert!(answer.json["api_id"].is_string() && answer.json["cash_credits"].is_string());
        }
    }

    #[tokio::test]
    async fn a_form_is_read_as_a_courtesy() {
        let (simulator, _) = at(1_000);
        let body = "src=%2B14155550100&dst=15550001111&type=mms&media_urls=https://a.example/1.png&media_urls=https://a.example/2.png&text=h%C3%A9+you";
        let answer = super::super::testing::form(&simulator, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let message = &simulator.messages(None)[0];
        assert_eq!((message.text.as_str(), message.media_urls.len()), ("hé you", 2));
    }
}
