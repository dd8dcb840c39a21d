//! The metrics that the functions write, for tests. On AWS, CloudWatch reads them from the logs.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use shared::metrics::Sink;

/// The metrics, newest last. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CountedMetrics(Arc<Mutex<Option<Vec<Value>>>>);

impl CountedMetrics {
    /// Keeps metrics from now on. Before that they are dropped, so that a stack that runs for days does not grow.
    pub fn keep(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    /// Takes the metrics that were kept.
    pub fn take(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Where a function writes its metrics.
    pub(crate) fn sink(&self) -> Sink {
        let kept = Arc::clone(&self.0);
        Arc::new(move |line| {
            if let Some(lines) = kept.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                lines.push(serde_json::from_str(line).unwrap_or_default());
            }
        })
    }
}
