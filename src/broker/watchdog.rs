//! Saying that the broker is alive, as long as it is.

use std::sync::Arc;
use std::time::Duration;

use crate::net::Workers;
use crate::supervisor;

/// Says so in each interval in which every worker has answered. A thread that stands still is missed by whoever is told.
pub(super) async fn say_alive(workers: Arc<Workers>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        workers.answer().await;
        supervisor::alive();
    }
}
