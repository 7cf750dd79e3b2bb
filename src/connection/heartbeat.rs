//! When to send a heartbeat, and when a peer that sends nothing is gone.
//!
//! Any byte counts as a sign of life, in both directions: an empty heartbeat frame is only sent where nothing else was.

use std::time::Duration;

use crate::time::Time;

/// Both directions of a connection's heartbeats.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// Half the negotiated interval: what RabbitMQ sends at.
    send_every: Duration,
    silence_max: Duration,
    sent: Time,
    received: Time,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing until the next deadline.
    Wait,
    /// Send a heartbeat frame.
    Send,
    /// The peer is gone: close without a word.
    Dead,
}

impl Heartbeat {
    /// Heartbeats at the negotiated interval in seconds; `None` for 0, which is none at all.
    pub fn new(interval: u16, now: Time) -> Option<Self> {
        let interval = Duration::from_secs(interval.into());
        // RabbitMQ looks once an interval and gives up at the second look that found nothing new, so that a peer is
        // dropped between two and three intervals after its last byte.
        let silence_max = interval * 5 / 2;
        (!interval.is_zero()).then_some(Self {
            send_every: interval / 2,
            silence_max,
            sent: now,
            received: now,
        })
    }

    /// Bytes were written.
    pub fn sent(&mut self, now: Time) {
        self.sent = now;
    }

    /// Bytes were read.
    pub fn received(&mut self, now: Time) {
        self.received = now;
    }

    /// When to look again.
    pub fn deadline(&self) -> Time {
        self.sent.plus(self.send_every).min(self.received.plus(self.silence_max))
    }

    /// What is to be done at `now`.
    pub fn beat(&self, now: Time) -> Beat {
        if now >= self.received.plus(self.silence_max) {
            Beat::Dead
        } else if now >= self.sent.plus(self.send_every) {
            Beat::Send
        } else {
            Beat::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Time {
        Time::from_millis(milliseconds)
    }

    #[test]
    fn an_interval_of_0_is_no_heartbeat() {
        assert!(Heartbeat::new(0, at(0)).is_none());
    }

    #[test]
    fn a_heartbeat_is_sent_when_nothing_was_for_half_an_interval() {
        let mut heartbeat = Heartbeat::new(1, at(1000)).unwrap();
        assert_eq!(heartbeat.deadline(), at(1500));
        assert_eq!(heartbeat.beat(at(1499)), Beat::Wait);
        assert_eq!(heartbeat.beat(at(1500)), Beat::Send);
        heartbeat.sent(at(1500));
        assert_eq!(heartbeat.beat(at(1999)), Beat::Wait);
        assert_eq!(heartbeat.deadline(), at(2000));
    }

    #[test]
    fn a_peer_is_dead_after_two_and_a_half_intervals_of_silence_whatever_we_send() {
        let mut heartbeat = Heartbeat::new(60, at(0)).unwrap();
        heartbeat.sent(at(149_000));
        assert_eq!(heartbeat.deadline(), at(150_000));
        assert_eq!(heartbeat.beat(at(149_999)), Beat::Wait);
        assert_eq!(heartbeat.beat(at(150_000)), Beat::Dead);
        heartbeat.received(at(149_000));
        assert_eq!(heartbeat.beat(at(298_999)), Beat::Send);
        assert_eq!(heartbeat.beat(at(299_000)), Beat::Dead);
    }

    #[test]
    fn the_longest_interval_does_not_overflow() {
        let heartbeat = Heartbeat::new(u16::MAX, at(u64::MAX - 1)).unwrap();
        assert_eq!(heartbeat.beat(at(u64::MAX - 1)), Beat::Wait);
    }
}
