//! One current-thread runtime a core; a connection stays where it was put.
//!
//! Its task, its timers and its socket never move between cores, so nothing of it is shared or stolen.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads that serve connections.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    connections: Arc<AtomicUsize>,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads, named `worker-0` and so on.
    pub fn start(count: usize) -> io::Result<Self> {
        let workers = (0..count.max(1)).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { workers })
    }

    /// Runs a connection on the worker that has the fewest. `connection` is called on that worker's thread, so that
    /// what it opens belongs to that worker's runtime.
    pub fn serve<C, F>(&self, connection: C)
    where
        C: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.connections()) else { return };
        let seat = Seat::take(&worker.connections);
        worker.handle.spawn(async move {
            let _seat = seat;
            connection().await;
        });
    }

    /// Waits until every worker has done something.
    pub async fn answer(&self) {
        for worker in &self.workers {
            // One that has ended has nothing to do any more.
            let _ = worker.handle.spawn(async {}).await;
        }
    }

    /// How many connections each worker serves.
    pub fn connections(&self) -> Vec<usize> {
        self.workers.iter().map(Worker::connections).collect()
    }
}

impl Drop for Workers {
    /// Ends every thread, and with it the connections that are left.
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.stop.take();
        }
        for worker in &mut self.workers {
            if let Some(Err(panic)) = worker.thread.take().map(JoinHandle::join) {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let mut runtime = Builder::new_current_thread();
        // Every task that runs may have much to do. Sockets are asked after each one, not after 61 as by default, so that
        // a few busy connections do not keep the others from being seen.
        let runtime = runtime.enable_all().event_interval(1).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            // Ends with an error: nobody sends, the sender is dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, connections: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A connection's place at a worker.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_connection_goes_to_the_worker_that_has_the_fewest_and_stays_there() {
        let workers = Workers::start(3).unwrap();
        let (names, seen) = sync_channel(6);
        for _ in 0..6 {
            let names = names.clone();
            workers.serve(move || async move {
                let name = || thread::current().name().map(str::to_owned);
                let before = name();
                tokio::task::yield_now().await;
                assert_eq!(name(), before);
                names.send(before.unwrap()).unwrap();
                std::future::pending::<()>().await;
            });
        }
        let mut seen: Vec<String> = seen.iter().take(6).collect();
        seen.sort();
        assert_eq!(seen, ["worker-0", "worker-0", "worker-1", "worker-1", "worker-2", "worker-2"]);
        assert_eq!(workers.connections(), [2, 2, 2]);
    }

    #[test]
    fn workers_answer_unless_one_of_them_stands_still() {
        let workers = Workers::start(2).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let waited = std::time::Duration::from_millis(50);
        runtime.block_on(workers.answer());
        let (go_on, held) = sync_channel::<()>(0);
        let (holding, is_held) = sync_channel(1);
        workers.serve(move || async move {
            holding.send(()).unwrap();
            let _ = held.recv();
        });
        is_held.recv().unwrap();
        let answered = runtime.block_on(async { tokio::time::timeout(waited, workers.answer()).await });
        assert!(answered.is_err(), "a worker that is held answers");
        drop(go_on);
        runtime.block_on(workers.answer());
    }

    #[test]
    fn a_connection_that_panics_ends_alone_and_leaves_its_place() {
        let workers = Workers::start(1).unwrap();
        let (done, ended) = sync_channel(1);
        workers.serve(|| async { panic!("a bug in one connection") });
        workers.serve(move || async move { done.send(()).unwrap() });
        ended.recv().unwrap();
        while workers.connections() != [0] {
            thread::yield_now();
        }
    }
}
