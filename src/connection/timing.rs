//! What time brings to an open connection: heartbeats, deadlines, and another look at what holds it back.
//!
//! One timer a connection, set only while something is due.

use std::future::Future as _;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::backpressure::Held;
use super::heartbeat::{Beat, Heartbeat};
use super::open::{End, OUTPUT_MAX, Open, State};
use crate::time::Time;

/// A client that takes nothing of what it is sent for this long is dropped (RabbitMQ's `tcp_listen_options.send_timeout`).
const SEND_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a held back connection looks whether it may go on.
const BEHIND_PAUSE: Duration = Duration::from_millis(1);
const BLOCKED_PAUSE: Duration = Duration::from_millis(50);
/// The same during an alarm, whose end every connection is told of: only to see whether its client is there.
const ALARM_PAUSE: Duration = Duration::from_secs(1);

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    /// Sleeps until the next thing that time brings, or does it.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let now = Time::now();
            if let Some(end) = self.time_out(now) {
                return Poll::Ready(end);
            }
            if !self.output.is_empty() && self.stalled_since.is_none() {
                // A heartbeat was put out.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(deadline) = self.deadline(now) else {
                self.timer = None;
                return Poll::Pending;
            };
            let at = Instant::now() + deadline.since(now);
            match &mut self.timer {
                // One that fires too early finds nothing to do and is set again.
                Some(timer) if timer.deadline() <= at && !timer.is_elapsed() => {}
                Some(timer) => timer.as_mut().reset(at),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
            }
            let Some(timer) = &mut self.timer else { return Poll::Pending };
            ready!(timer.as_mut().poll(cx));
            if self.is_to_look_again() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        let held_back = match self.publishing.held {
            _ if self.publishing.any_behind() => Some(now.plus(BEHIND_PAUSE)),
            Held::Congested => Some(now.plus(BEHIND_PAUSE)),
            Held::Blocked if self.alarms.is_raised() => Some(now.plus(ALARM_PAUSE)),
            Held::Blocked => Some(now.plus(BLOCKED_PAUSE)),
            // A limit may be changed meanwhile.
            Held::Over(until) | Held::Easing(until) => Some(until.min(now.plus(ALARM_PAUSE))),
            Held::Not => None,
        };
        let stalled = self.stalled_since.map(|since| since.plus(SEND_TIMEOUT));
        let heartbeat = self.heartbeat.as_ref().map(Heartbeat::deadline);
        let closing = match self.state {
            State::Closing { deadline, .. } => Some(deadline),
            State::Running | State::Closed(_) => None,
        };
        [held_back, stalled, heartbeat, closing].into_iter().flatten().min()
    }

    pub(super) fn time_out(&mut self, now: Time) -> Option<End> {
        if self.stalled_since.is_some_and(|since| now >= since.plus(SEND_TIMEOUT)) {
            return Some(End::Stalled);
        }
        if self.is_gone_while_blocked(now) {
            return Some(End::Socket(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if let State::Closing { deadline, .. } = self.state
            && now >= deadline
        {
            return Some(End::CloseTimedOut);
        }
        let reads =
            !self.may_be_held_back() && !self.awaits_channels() && self.output.answers_len() < OUTPUT_MAX;
        let Some(heartbeat) = &mut self.heartbeat else {
            if self.publishing.probe_is_due(now) && self.output.is_empty() {
                self.output.heartbeat();
            }
            return None;
        };
        if !reads {
            // What is not read cannot be missed.
            heartbeat.received(now);
        }
        match heartbeat.beat(now) {
            Beat::Wait => None,
            Beat::Dead => Some(End::MissedHeartbeats),
            Beat::Send => {
                if self.output.is_empty() {
                    self.output.heartbeat();
                }
                heartbeat.sent(now);
                None
            }
        }
    }
}
