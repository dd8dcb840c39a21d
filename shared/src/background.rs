//! Tasks that run after the answer has gone out and before the function asks for the next event. Only then does Lambda freeze the function
//! (Lambda: "Building a custom runtime"), so they complete; and the client neither waits for them nor learns how long they take.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;

/// A fire-and-forget task.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that are still to be done.
#[derive(Default)]
pub struct BackgroundTasks(Mutex<Vec<Task>>);

impl BackgroundTasks {
    /// Adds a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(task));
    }

    /// Answers, then does all tasks.
    pub(crate) async fn run_after<T>(&self, answer: impl Future<Output = T>) -> T {
        let outcome = answer.await;
        self.take().await;
        outcome
    }

    /// All tasks, side by side, as one.
    pub fn take(&self) -> Task {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async {
            join_all(tasks).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_is_done_once_and_not_before_it_is_taken() {
        let (tasks, done) = (BackgroundTasks::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..2 {
            let done = done.clone();
            tasks.spawn(async move {
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(done.load(Ordering::Relaxed), 0);
        tasks.take().await;
        tasks.take().await;
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }
}
