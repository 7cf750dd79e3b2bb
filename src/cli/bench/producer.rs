//! A connection that publishes: as fast as the socket takes it, at an even pace, or within a window of confirms.

use super::confirm_window::ConfirmWindow;
use super::connection::{CHANNEL, Connection, Filled};
use super::failure::Failure;
use super::image::{Expiration, MessageImage, Shape};
use super::options::BenchOptions;
use super::pace::Pace;
use super::run::{LOOK_UP, Lane, Run, Stage};
use super::topology::Topology;
use leveret_protocol::method::{basic, confirm};
use leveret_protocol::{Event, Method};
use rustix::event::PollFlags;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Confirms are short; this takes thousands.
const INPUT_BYTES: usize = 64 * 1024;

/// How a producer publishes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// Messages a second of all producers together, if not as fast as it goes.
    pub(super) rate: Option<NonZeroU64>,
    /// When messages expire, if ever.
    pub(super) expiration: Option<Expiration>,
}

/// A producer, connected and ready.
#[derive(Debug)]
pub(super) struct Producer {
    connection: Connection,
    image: MessageImage,
    window: Option<ConfirmWindow>,
    pace: Option<Pace>,
    /// Messages to publish, if not until told otherwise.
    limit: Option<u64>,
    published: u64,
    confirmed: u64,
    refused: u64,
    lane: Arc<Lane>,
}

impl Producer {
    /// Connects producer `number` of those that `options` ask for.
    pub(super) fn open(
        options: &BenchOptions,
        topology: &Topology,
        number: usize,
        course: Course,
        lane: Arc<Lane>,
    ) -> Result<Self, Failure> {
        let mut connection = Connection::open(&options.url, INPUT_BYTES)?;
        connection.open_channel()?;
        if options.confirm_window.is_some() {
            connection.call(confirm::Select { no_wait: false }, |method| {
                matches!(method, Method::Confirm(confirm::Method::SelectOk(_))).then_some(())
            })?;
        }
        let shape = Shape {
            size: options.size,
            persistent: options.persistent,
            priorities: options.priorities,
            expiration: course.expiration,
            frame_max: connection.frame_max,
            channel: CHANNEL,
        };
        let image = MessageImage::new(&topology.routes(number, options.producers.get()), shape)?;
        let (producers, number) = (options.producers.get() as u64, number as u64);
        let own_part = |all: NonZeroU64| all.get() / producers + u64::from(number < all.get() % producers);
        Ok(Self {
            connection,
            image,
            window: options.confirm_window.map(|limit| ConfirmWindow::new(limit.get())),
            pace: course.rate.map(|rate| Pace::new(0, rate.get(), producers, number)),
            limit: options.messages_in_all().map(own_part),
            published: 0,
            confirmed: 0,
            refused: 0,
            lane,
        })
    }

    /// Publishes from `start_ns` until the run ends or its share is done, then waits for the confirms. With
    /// `synchronise` the last message counts only once the broker has taken it off the connection.
    pub(super) fn work(
        mut self,
        run: &Run,
        start_ns: u64,
        synchronise: Option<&Topology>,
    ) -> Result<(), Failure> {
        if let Some(pace) = &mut self.pace {
            pace.begin(start_ns);
            wake_exactly();
        }
        while run.stage() == Stage::Load && self.left() > 0 {
            self.receive(run)?;
            let now_ns = run.now_ns();
            match self.may_publish(now_ns) {
                0 => self.wait(now_ns)?,
                count => self.publish(count, now_ns, run)?,
            }
        }
        while self.window.as_ref().is_some_and(|window| !window.is_empty()) && run.stage() != Stage::End {
            self.connection.wait(PollFlags::IN, LOOK_UP)?;
            self.receive(run)?;
        }
        if let (Some(topology), Stage::Load | Stage::Drain) = (synchronise, run.stage()) {
            topology.synchronise(&mut self.connection)?;
            self.lane.counted(self.published, run.now_ns());
        }
        // What a broker answers to a goodbye does not change what was measured.
        let _ = self.connection.close();
        Ok(())
    }

    fn left(&self) -> u64 {
        self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.published))
    }

    /// How many messages to publish now.
    fn may_publish(&self, now_ns: u64) -> usize {
        let mut count = self.left().min(self.image.batch_max() as u64);
        if let Some(window) = &self.window {
            // A write for every single confirm would cost both sides more than the message: wait for a quarter.
            let enough = if self.pace.is_some() { 1 } else { count.min(window.limit().div_ceil(4)) };
            let room = window.room();
            count = if room >= enough { count.min(room) } else { 0 };
        }
        if let Some(pace) = &self.pace {
            count = count.min(pace.due(now_ns).saturating_sub(self.published));
        }
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Waits for a confirm or for the next message to be due.
    fn wait(&mut self, now_ns: u64) -> Result<(), Failure> {
        let full = self.window.as_ref().is_some_and(|window| window.room() == 0);
        let longest = match &self.pace {
            Some(pace) if !full => Duration::from_nanos(pace.due_ns(self.published).saturating_sub(now_ns)),
            _ => LOOK_UP,
        };
        self.connection.wait(PollFlags::IN, longest.min(LOOK_UP)).map(drop)
    }

    fn publish(&mut self, count: usize, now_ns: u64, run: &Run) -> Result<(), Failure> {
        let (pace, window, published) = (&self.pace, &mut self.window, self.published);
        let stamp = |number| pace.as_ref().map_or(now_ns, |pace| pace.due_ns(published + number));
        let (count, bytes) = self.image.next_batch(count, stamp);
        let mut bytes = bytes;
        if let Some(window) = window {
            (0..count).for_each(|number| window.publish(stamp(number)));
        }
        loop {
            let written = self.connection.write(bytes)?;
            bytes = bytes.get(written..).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            if run.stage() == Stage::End {
                return Ok(());
            }
            if written == 0 {
                // A broker that waits for its confirms to be read must not wait for ever.
                let ready = self.connection.wait(PollFlags::IN | PollFlags::OUT, LOOK_UP)?;
                if ready.contains(PollFlags::IN) {
                    let mut settled = Settled { confirmed: &mut self.confirmed, refused: &mut self.refused };
                    receive(&mut self.connection, window.as_mut(), &mut settled, &self.lane, run)?;
                }
            }
        }
        self.published += count;
        self.lane.counted(self.published, now_ns);
        Ok(())
    }

    fn receive(&mut self, run: &Run) -> Result<(), Failure> {
        let mut settled = Settled { confirmed: &mut self.confirmed, refused: &mut self.refused };
        receive(&mut self.connection, self.window.as_mut(), &mut settled, &self.lane, run)
    }
}

/// Counters of a producer that confirms change.
struct Settled<'p> {
    confirmed: &'p mut u64,
    refused: &'p mut u64,
}

/// Takes what the broker has sent: confirms, or a word that ends the run.
fn receive(
    connection: &mut Connection,
    mut window: Option<&mut ConfirmWindow>,
    settled: &mut Settled<'_>,
    lane: &Lane,
    run: &Run,
) -> Result<(), Failure> {
    if connection.fill()? == Filled::Nothing {
        return Ok(());
    }
    let (now_ns, from_ns) = (run.now_ns(), run.measured_from_ns());
    let mut latency = lane.latency();
    while let Some(event) = connection.next()? {
        let Event::Method { method: Method::Basic(method), .. } = event else { continue };
        let (tag, multiple, counter) = match method {
            basic::Method::Ack(ack) => (ack.delivery_tag, ack.multiple, &mut *settled.confirmed),
            basic::Method::Nack(nack) => (nack.delivery_tag, nack.multiple, &mut *settled.refused),
            _ => continue,
        };
        if let Some(window) = window.as_deref_mut() {
            window.settle(tag, multiple, |stamp_ns| {
                *counter += 1;
                if stamp_ns >= from_ns {
                    latency.record(now_ns.saturating_sub(stamp_ns));
                }
            })?;
        }
    }
    drop(latency);
    lane.confirmed.store(*settled.confirmed, Relaxed);
    lane.refused.store(*settled.refused, Relaxed);
    lane.blocked.store(connection.blocked.is_some(), Relaxed);
    Ok(())
}

/// Linux lets a sleeper oversleep by 50 microseconds unless it asks for less, which an even pace needs.
fn wake_exactly() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}
