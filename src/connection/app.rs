//! The side of a broker that clients are served on: it can be closed and opened again while the process goes on, as
//! RabbitMQ's `stop_app` and `start_app` do it.
//!
//! Who listens keeps to what is wanted here, and tells when it is so.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Environment, SHUTDOWN};

/// How long it may take until every door is as it is wanted.
const DOORS_TIME: Duration = Duration::from_secs(10);
/// How long clients have to answer the `connection.close`.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(5);

/// Whether clients are served.
#[derive(Debug)]
pub struct App {
    wanted: watch::Sender<bool>,
    doors: Mutex<Doors>,
    changed: Condvar,
    /// Held while it is stopped or started.
    changing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Doors {
    all: usize,
    open: usize,
    /// Why one cannot be opened again.
    failure: Option<String>,
}

/// Clients are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRunning;

impl Default for App {
    fn default() -> Self {
        Self {
            wanted: watch::Sender::new(true),
            doors: Mutex::default(),
            changed: Condvar::new(),
            changing: Mutex::default(),
        }
    }
}

impl App {
    /// Whether clients are to be served.
    pub fn is_running(&self) -> bool {
        *self.wanted.borrow()
    }

    /// For whoever listens: whether it is to.
    pub fn wanted(&self) -> watch::Receiver<bool> {
        self.wanted.subscribe()
    }

    /// There is one more that listens, as long as it is to.
    pub fn add_door(&self) {
        let mut doors = self.doors();
        doors.all += 1;
        doors.open += 1;
    }

    /// One does not listen any more.
    pub fn door_closed(&self) {
        self.doors().open -= 1;
        self.changed.notify_all();
    }

    /// One listens again.
    pub fn door_opened(&self) {
        self.doors().open += 1;
        self.changed.notify_all();
    }

    /// One cannot listen again: it tries on.
    pub fn door_failed(&self, why: String) {
        self.doors().failure = Some(why);
        self.changed.notify_all();
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until they are as they are wanted; says why they are not.
    fn wait(&self, is_so: impl Fn(&Doors) -> bool) -> Result<(), String> {
        let doors = self.doors();
        let waited = self
            .changed
            .wait_timeout_while(doors, DOORS_TIME, |doors| !is_so(doors) && doors.failure.is_none());
        let mut doors = waited.unwrap_or_else(PoisonError::into_inner).0;
        match doors.failure.take() {
            Some(failure) => Err(failure),
            None if is_so(&doors) => Ok(()),
            None => Err("the listeners do not answer; see the log".to_owned()),
        }
    }
}

impl Environment {
    /// Serves no clients from now on: nobody listens, every connection is closed with 320, and what does not outlive a
    /// broker is gone, but for messages. Waits for that, so that it is not to be called on a thread that serves. One that
    /// has stopped stays so.
    ///
    /// # Errors
    /// A listener does not close.
    pub fn stop_app(&self) -> Result<(), String> {
        let _alone = self.app.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.app.wanted.send_replace(false);
        self.app.wait(|doors| doors.open == 0)?;
        let until = Instant::now() + FAREWELL;
        // Those that are being let in find that out themselves.
        self.connections.close_all(SHUTDOWN.0, SHUTDOWN.1);
        while !self.connections.is_empty() && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        for vhost in self.vhosts.all() {
            vhost.delete_transient();
        }
        tracing::info!("the broker serves no clients until it is told to");
        Ok(())
    }

    /// Serves clients again, where it did before. One that runs goes on.
    ///
    /// # Errors
    /// An address cannot be listened at.
    pub fn start_app(&self) -> Result<(), String> {
        let _alone = self.app.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.app.doors().failure = None;
        self.app.wanted.send_replace(true);
        self.app.wait(|doors| doors.open == doors.all)?;
        tracing::info!("the broker serves clients again");
        Ok(())
    }

    /// Deletes all that there is, messages among it, and then has the beginning made again. Waits for the disk.
    ///
    /// # Errors
    /// Clients are served; nothing is deleted then.
    pub fn reset_app<T>(&self, begin: impl FnOnce(&Self) -> T) -> Result<T, StillRunning> {
        let _alone = self.app.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.app.is_running() {
            return Err(StillRunning);
        }
        let until = self.delete_all();
        // When it fails the broker is told, as later.
        self.wait(until);
        tracing::info!("everything is deleted, as an operator asked for");
        Ok(begin(self))
    }
}
