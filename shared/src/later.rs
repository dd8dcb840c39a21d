//! What a function does after its answer has gone out and before it takes the next request: Lambda freezes a function when it asks for
//! the next one, not when it answers (Lambda: "Building a custom runtime", clean-up before the next event). So the caller does not
//! wait for it, and learns nothing from how long it takes. Uses nothing of this crate.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::join_all;
use lambda_http::lambda_runtime::LambdaInvocation;
use lambda_http::tower::Layer;
use lambda_http::{Error, Service};

/// Work without an outcome that anybody waits for.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is still to be done.
#[derive(Default)]
pub struct Later(Mutex<Vec<Work>>);

impl Later {
    /// Adds work.
    pub fn add(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
    }

    /// All of it, side by side, as one piece of work.
    pub fn take(&self) -> Work {
        let work = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async {
            join_all(work).await;
        })
    }
}

/// A layer of the runtime that does the work after each answer.
#[derive(Clone, Copy)]
pub(crate) struct Afterwards(pub(crate) &'static Later);

impl<S> Layer<S> for Afterwards {
    type Service = AnswerThenWork<S>;

    fn layer(&self, answering: S) -> Self::Service {
        AnswerThenWork { answering, later: self.0 }
    }
}

/// See [`Afterwards`].
pub(crate) struct AnswerThenWork<S> {
    answering: S,
    later: &'static Later,
}

impl<S> Service<LambdaInvocation> for AnswerThenWork<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.answering.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (answer, later) = (self.answering.call(invocation), self.later);
        Box::pin(async move {
            let outcome = answer.await;
            later.take().await;
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
    async fn work_is_done_once_and_not_before_it_is_taken() {
        let (later, done) = (Later::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..2 {
            let done = done.clone();
            later.add(async move {
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(done.load(Ordering::Relaxed), 0);
        later.take().await;
        later.take().await;
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }
}
