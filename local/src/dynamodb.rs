//! DynamoDB's API in this process: `dynoxide` behind its HTTP server on a free port, with the tables of the template.

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::StackError;

/// The tables, and whether their items expire.
pub const TABLES: [(&str, bool); 8] = [
    ("users", false),
    ("phones", true),
    ("sessions", true),
    ("controls", true),
    ("messages", true),
    ("counters", true),
    ("decisions", true),
    ("consents", true),
];

/// How often expired items are removed. This only saves memory, and it reads all items: a million take many seconds.
const SWEEP: Duration = Duration::from_secs(600);

/// Opens the database: in memory, or in a file in `folder`.
///
/// # Errors
/// [`StackError`] when the file cannot be made or read.
pub fn open(folder: Option<&Path>) -> Result<Database, StackError> {
    match folder {
        None => Database::memory().map_err(StackError::new("storage does not start")),
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(unusable(folder))?;
            // The only way to set `synchronous = NORMAL`, so that a write does not wait for the disk. If the machine loses power, only the
            // last writes are lost.
            Database::new(&folder.join("otpost.sqlite").to_string_lossy())
                .and_then(|database| database.disable_bulk_loading().map(|()| database))
                .map_err(unusable(folder))
        }
    }
}

/// An error about the data folder.
pub(crate) fn unusable<E>(folder: &Path) -> impl FnOnce(E) -> StackError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    StackError::new(format!("the data folder {} cannot be used (choose another with --data)", folder.display()))
}

/// Starts the API and returns its URL. The database is in memory, or in a file in `folder`.
pub(crate) async fn start(folder: Option<&Path>, stop: watch::Receiver<()>) -> Result<String, StackError> {
    let database = open(folder)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("storage has no port"))?;
    let address = listener.local_addr().map_err(StackError::new("storage has no port"))?;
    tokio::spawn(sweep(database.clone(), stop.clone()));
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, crate::stopped(stop)));
    Ok(format!("http://{address}"))
}

/// Removes expired items from time to time, as DynamoDB does.
async fn sweep(database: Database, stop: watch::Receiver<()>) {
    let mut ticks = tokio::time::interval_at(Instant::now() + SWEEP, SWEEP);
    let stopped = crate::stopped(stop);
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = ticks.tick() => {
                let database = database.clone();
                let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
                if let Ok(Err(error)) = swept {
                    tracing::warn!(%error, "expired items not removed");
                }
            }
        }
    }
}

/// Creates the tables that do not exist yet.
pub(crate) async fn make_tables(client: &Client) -> Result<(), StackError> {
    for (name, expires) in TABLES {
        let failed = || StackError::plain("a table cannot be made");
        let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
        let table = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(id.build().map_err(|_| failed())?)
            .key_schema(key.build().map_err(|_| failed())?);
        match table.send().await {
            Ok(_) if expires => {
                let ttl = TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build();
                let ttl = ttl.map_err(|_| failed())?;
                let set = client.update_time_to_live().table_name(name).time_to_live_specification(ttl).send().await;
                set.map_err(StackError::new("a table's expiry cannot be set"))?;
            }
            Ok(_) => {}
            Err(SdkError::ServiceError(error)) if error.err().is_resource_in_use_exception() => {}
            Err(error) => return Err(StackError::new("a table cannot be made")(error)),
        }
    }
    Ok(())
}
