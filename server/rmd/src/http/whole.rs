//! What is done as a whole: also when whoever asked for it does not wait for the end.
//!
//! A handler is dropped where it waits when its client goes away or its time is over; a change must
//! not be in force then without being kept and told.

use super::problem::Problem;
use std::time::Duration;

/// Does it in a task of its own and waits for the end.
pub(super) async fn done<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Problem::busy()))
}

/// The same, and waits at most so long.
pub(super) async fn done_within<T: Send + 'static>(
    patience: Duration,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    later: impl FnOnce() -> Problem,
) -> Result<T, Problem> {
    match tokio::time::timeout(patience, done(work)).await {
        Ok(end) => end,
        Err(_) => Err(later()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::leave;
    use std::sync::mpsc::sync_channel;
    use std::thread;
    use tokio::sync::oneshot;

    const LONG: Duration = Duration::from_secs(60);

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn what_takes_longer_goes_on() {
        runtime().block_on(async {
            let (go, gone) = oneshot::channel::<()>();
            let (tell, told) = oneshot::channel();
            let work = async move {
                gone.await.unwrap();
                tell.send("done").unwrap();
                Ok(())
            };
            let end = done_within(Duration::from_millis(10), work, Problem::reload_goes_on).await;
            let problem = format!("{:?}", end.unwrap_err());
            assert!(problem.contains("503") && problem.contains("goes on"), "{problem}");
            go.send(()).unwrap();
            assert_eq!(tokio::time::timeout(LONG, told).await.unwrap(), Ok("done"));
        });
    }

    #[test]
    fn the_end_does_not_wait_for_a_file_that_never_comes() {
        let (come, file) = sync_channel::<()>(1);
        let (tell, left) = sync_channel(1);
        thread::spawn(move || {
            let runtime = runtime();
            let (begin, begun) = oneshot::channel();
            runtime.spawn_blocking(move || {
                begin.send(()).unwrap();
                file.recv()
            });
            runtime.block_on(begun).unwrap();
            leave(runtime);
            tell.send(()).unwrap();
        });
        assert_eq!(left.recv_timeout(LONG), Ok(()));
        drop(come);
    }
}
