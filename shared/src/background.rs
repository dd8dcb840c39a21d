//! What a function does after its answer has gone out and before it takes the next request: Lambda freezes a function when it asks for the
//! next one, not when it answers (Lambda: "Building a custom runtime", clean-up before the next event). So the caller does not wait for it,
//! and learns nothing from how long it takes.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::join_all;
use lambda_http::Error;
use lambda_http::lambda_runtime::LambdaInvocation;
use lambda_http::tower::{Layer, Service};

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

    /// All tasks, side by side, as one.
    pub fn take(&self) -> Task {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async {
            join_all(tasks).await;
        })
    }
}

/// A layer of the Lambda runtime that does the tasks after each answer.
#[derive(Clone, Copy)]
pub(crate) struct BackgroundLayer(pub(crate) &'static BackgroundTasks);

impl<S> Layer<S> for BackgroundLayer {
    type Service = BackgroundService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BackgroundService { inner, tasks: self.0 }
    }
}

/// See [`BackgroundLayer`].
pub(crate) struct BackgroundService<S> {
    inner: S,
    tasks: &'static BackgroundTasks,
}

impl<S> Service<LambdaInvocation> for BackgroundService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (answer, tasks) = (self.inner.call(invocation), self.tasks);
        Box::pin(async move {
            let outcome = answer.await;
            tasks.take().await;
            outcome
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
