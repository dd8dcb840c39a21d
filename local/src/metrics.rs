//! The metrics that the functions write, counted for the console and kept for tests. On AWS, CloudWatch reads them from the logs.

use std::sync::{Arc, Mutex, PoisonError};

use otpost::console::figures::{Counted, Counts};
use serde_json::Value;
use shared::metrics::Sink;

/// The metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CountedMetrics(Arc<Mutex<Metrics>>);

#[derive(Debug, Default)]
struct Metrics {
    /// Those of the last day.
    counted: Counted,
    /// The lines, newest last, if they are kept.
    kept: Option<Vec<Value>>,
}

impl CountedMetrics {
    /// Keeps each line from now on. Before that they are only counted, so that a stack that runs for days does not grow.
    pub fn keep(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kept.get_or_insert_default();
    }

    /// Takes the metrics that were kept.
    pub fn take(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What was counted, for the console.
    pub(crate) fn counts(&self) -> Counts {
        let metrics = Arc::clone(&self.0);
        Counts::from_fn(move |_| {
            let counted = metrics.lock().unwrap_or_else(PoisonError::into_inner).counted.clone();
            Box::pin(async { Ok(counted) })
        })
    }

    /// Where a function writes its metrics.
    pub(crate) fn sink(&self) -> Sink {
        let metrics = Arc::clone(&self.0);
        Arc::new(move |line| {
            let line = serde_json::from_str(line).unwrap_or_default();
            let mut metrics = metrics.lock().unwrap_or_else(PoisonError::into_inner);
            metrics.counted.add_line(&line);
            if let Some(lines) = &mut metrics.kept {
                lines.push(line);
            }
        })
    }
}
