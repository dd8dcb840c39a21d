//! What the functions count, for tests: on AWS CloudWatch reads it. Uses nothing of this crate.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use shared::metrics::Sink;

/// The lines that were counted, the newest last.
#[derive(Debug, Clone, Default)]
pub struct CountedMetrics(Arc<Mutex<Option<Vec<Value>>>>);

impl CountedMetrics {
    /// Keeps what is counted from now on; until then it is dropped, so that a stack that runs for days does not grow.
    pub fn keep(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    /// Takes what was kept.
    pub fn take(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Where a function counts.
    pub(crate) fn sink(&self) -> Sink {
        let kept = Arc::clone(&self.0);
        Arc::new(move |line| {
            if let Some(lines) = kept.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                lines.push(serde_json::from_str(line).unwrap_or_default());
            }
        })
    }
}
