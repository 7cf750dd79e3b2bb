//! Waiting for conditions, with a deadline, and what consumers have to get.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

const WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Waits for what happens, and panics when it has not within a minute.
pub async fn soon<T>(what: impl Display, happens: impl Future<Output = T>) -> T {
    match timeout(WAIT, happens).await {
        Ok(value) => value,
        Err(_) => panic!("not within {WAIT:?}: {what}"),
    }
}

/// Asks again and again until the condition holds, and panics when it has not within a minute.
pub async fn until(what: impl Display, mut condition: impl AsyncFnMut() -> bool) {
    let ends = Instant::now() + WAIT;
    while !condition().await {
        assert!(Instant::now() < ends, "not within {WAIT:?}: {what}");
        sleep(POLL).await;
    }
}

/// Bodies with a number each.
pub fn numbered(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{word} {number}")).collect()
}

/// What a consumer got of the messages that it has to get, some of them again.
#[derive(Default)]
pub struct Received {
    missing: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Received {
    pub fn expect(&mut self, bodies: &[String]) {
        self.missing.extend(bodies.iter().filter(|body| !self.seen.contains(*body)).cloned());
    }

    /// Notes a message. One that comes again has to say so.
    pub fn add(&mut self, body: &[u8], redelivered: bool) {
        let body = String::from_utf8_lossy(body).into_owned();
        assert!(
            !self.seen.contains(&body) || redelivered,
            "{body} came again without the mark of a redelivery"
        );
        self.missing.remove(&body);
        self.seen.insert(body);
    }

    pub fn has_all(&self) -> bool {
        self.missing.is_empty()
    }
}
