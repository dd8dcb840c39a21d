//! A distance before an HTTP API: each call takes this much longer, as if storage were not in this process. Without it, an answer
//! could be there before the next call that was begun beside it, and calls side by side would look like calls in turn.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use crate::Failure;

/// Far more than the handlers take to begin calls side by side, even in a debug build on a busy machine.
const DISTANCE: Duration = Duration::from_millis(50);

/// Starts it before the API at `target` and answers its own address. Stops with its runtime.
pub(crate) async fn before(target: &str) -> Result<String, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let client = local::http_client()?;
    let app = Router::new().fallback(pass).with_state((client, format!("{target}/")));
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(url)
}

async fn pass(
    State((client, target)): State<(reqwest::Client, String)>,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    tokio::time::sleep(DISTANCE).await;
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    let Ok(answer) = client.post(target).headers(headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = answer.status();
    match answer.bytes().await {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], bytes).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
