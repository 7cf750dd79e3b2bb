//! The recent past of some numbers.
//!
//! What stays as it is costs nothing: numbers are kept as runs in which none of them changed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;

/// Numbers over time.
#[derive(Clone, Debug)]
pub(super) struct Series<const N: usize> {
    runs: VecDeque<Run<N>>,
}

/// The numbers were these at all ticks from one to another.
#[derive(Clone, Debug)]
struct Run<const N: usize> {
    from: Time,
    until: Time,
    values: [u64; N],
}

/// How far apart samples are kept that are so old, at least, as RabbitMQ has it by default.
const STEPS: [(Duration, Duration); 3] = [
    (Duration::from_hours(8), Duration::from_mins(30)),
    (Duration::from_hours(1), Duration::from_mins(10)),
    (Duration::from_mins(10), Duration::from_mins(1)),
];
/// Nobody is shown more samples of one number.
const SAMPLES_MAX: u64 = 10_000;

/// A change between two ticks, with the time between them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    change: f64,
    seconds: f64,
}

impl Pace {
    /// So much in a second.
    pub(super) fn rate(self) -> f64 {
        if self.seconds > 0.0 { self.change / self.seconds } else { 0.0 }
    }
}

/// How far back samples are asked for, and how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) age: Duration,
    pub(super) step: Duration,
}

impl<const N: usize> Series<N> {
    /// Of something that is `new`: before this tick there was nothing of it. What is not begins with its numbers.
    pub(super) fn begun(now: Time, before: Time, is_new: bool, values: [u64; N]) -> Self {
        let mut series = Self { runs: VecDeque::new() };
        if is_new {
            series.runs.push_back(Run { from: before, until: before, values: [0; N] });
        }
        series.push(now, before, values);
        series
    }

    /// The sum of some, at the moments at which any of them changed.
    pub(super) fn sum(some: &[&Self]) -> Option<Self> {
        let runs = some.iter().flat_map(|series| &series.runs);
        let mut moments: Vec<Time> = runs.flat_map(|run| [run.from, run.until]).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut sum: Option<Self> = None;
        let mut before = moments.first().copied().unwrap_or_default();
        for now in moments {
            let mut values = [0; N];
            for series in some {
                let past = series.runs.partition_point(|run| run.from <= now);
                let run = past.checked_sub(1).and_then(|at| series.runs.get(at));
                for (sum, value) in values.iter_mut().zip(run.map_or([0; N], |run| run.values)) {
                    *sum += value;
                }
            }
            match &mut sum {
                Some(sum) => sum.push(now, before, values),
                None => sum = Some(Self::begun(now, before, false, values)),
            }
            before = now;
        }
        sum
    }

    /// What the numbers are at a tick, and were at the one `before`, unless they are told for that too.
    pub(super) fn push(&mut self, now: Time, before: Time, values: [u64; N]) {
        match self.runs.back_mut() {
            Some(last) if last.values == values => last.until = now,
            last => {
                if let Some(last) = last {
                    last.until = last.until.max(before);
                }
                self.runs.push_back(Run { from: now, until: now, values });
            }
        }
    }

    /// Nothing has changed until this tick.
    pub(super) fn stay(&mut self, now: Time) {
        if let Some(last) = self.runs.back_mut() {
            last.until = now;
        }
    }

    /// The numbers as they were told last.
    pub(super) fn last(&self) -> [u64; N] {
        self.runs.back().map_or([0; N], |run| run.values)
    }

    /// When they changed last.
    pub(super) fn changed(&self) -> Time {
        self.runs.back().map_or(Time::default(), |run| run.from)
    }

    /// When they were told last.
    pub(super) fn until(&self) -> Time {
        self.runs.back().map_or(Time::default(), |run| run.until)
    }

    /// Whether they were others at the tick before.
    pub(super) fn moves(&self) -> bool {
        self.runs.len() > 1 && self.runs.back().is_some_and(|run| run.from == run.until)
    }

    /// How fast a number, or what is made of them, changed between the last two ticks.
    pub(super) fn pace(&self, number: impl Fn(&[u64; N]) -> u64) -> Pace {
        let mut runs = self.runs.iter().rev();
        let (Some(last), Some(before)) = (runs.next(), runs.next()) else { return Pace::default() };
        if last.from != last.until {
            return Pace::default();
        }
        Pace {
            change: difference(number(&last.values), number(&before.values)),
            seconds: last.from.since(before.until).as_secs_f64(),
        }
    }

    /// A number at the moments of a window, the latest first, with those moments.
    pub(super) fn samples(
        &self,
        now: Time,
        window: Window,
        number: impl Fn(&[u64; N]) -> u64,
    ) -> Vec<(Time, u64)> {
        let step = millis(window.step);
        let count = (millis(window.age) / step).min(SAMPLES_MAX);
        let latest = now.as_millis() / step * step;
        let mut runs = self.runs.iter().rev().peekable();
        let at = |back: u64| Time::from_millis(latest.saturating_sub(back.saturating_mul(step)));
        let sample = |back| {
            let time = at(back);
            while runs.peek().is_some_and(|run| run.from > time) {
                runs.next();
            }
            let values = runs.peek().copied().or(self.runs.front()).map(|run| &run.values);
            (time, values.map_or(0, &number))
        };
        (0..=count).map(sample).collect()
    }

    /// Forgets what is older than `span`, and of what is old enough all but one sample a minute, or fewer.
    pub(super) fn thin(&mut self, now: Time, span: Duration) {
        let oldest = now.minus(span);
        while self.runs.len() > 2 && self.runs.get(1).is_some_and(|next| next.from <= oldest) {
            self.runs.pop_front();
        }
        let bucket = |time: Time| {
            let (_, step) = STEPS.iter().find(|(age, _)| now.since(time) > *age)?;
            Some((*step, time.as_millis() / millis(*step)))
        };
        let mut kept: VecDeque<Run<N>> = VecDeque::with_capacity(self.runs.len());
        for run in self.runs.drain(..) {
            if let Some(last) = kept.back()
                && let (Some(one), Some(other)) = (bucket(last.until), bucket(run.until))
                && one == other
            {
                kept.pop_back();
            }
            kept.push_back(run);
        }
        kept.shrink_to(kept.len() * 2);
        self.runs = kept;
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.runs.capacity() * size_of::<Run<N>>()
    }

    /// Keeps what rates are made of and nothing else.
    pub(super) fn shorten(&mut self) {
        while self.runs.len() > 2 {
            self.runs.pop_front();
        }
        self.runs.shrink_to(4);
    }
}

/// Never zero.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// How much larger a number is than another one.
#[allow(clippy::cast_precision_loss, reason = "a rate need not be exact to the last of 53 bits")]
pub(super) fn difference(number: u64, other: u64) -> f64 {
    if number >= other { (number - other) as f64 } else { -((other - number) as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn is(series: &Series<1>, rate: f64) -> bool {
        (series.pace(|values| values[0]).rate() - rate).abs() < 1e-9
    }

    #[test]
    fn a_rate_is_of_the_last_two_ticks_and_falls_to_zero() {
        let mut series = Series::begun(at(5), at(0), true, [10]);
        for (tick, value, rate) in
            [(10, 60, 10.0), (15, 60, 0.0), (20, 60, 0.0), (25, 30, -6.0), (30, 40, 2.0)]
        {
            series.push(at(tick), at(tick - 5), [value]);
            assert!(is(&series, rate), "{tick}: {:?}", series.pace(|values| values[0]));
            assert_eq!(series.moves(), rate.abs() > 0.0);
        }
        assert_eq!((series.changed(), series.last()), (at(30), [40]));
        series.stay(at(35));
        assert!(is(&series, 0.0) && !series.moves());
    }

    #[test]
    fn what_is_new_had_nothing_before_and_what_is_not_has_no_rate_yet() {
        assert!(is(&Series::begun(at(5), at(0), true, [10]), 2.0));
        assert!(is(&Series::begun(at(5), at(0), false, [10]), 0.0));
    }

    #[test]
    fn a_rate_after_ticks_at_which_nobody_looked_is_of_the_last_one() {
        let mut series = Series::begun(at(5), at(0), true, [10]);
        series.push(at(1000), at(995), [60]);
        assert!(is(&series, 10.0));
    }

    #[test]
    fn samples_are_what_was_at_their_moments_the_latest_first() {
        let mut series = Series::begun(at(5), at(0), true, [1]);
        series.push(at(10), at(5), [2]);
        series.push(at(30), at(25), [7]);
        let window = Window { age: Duration::from_secs(30), step: Duration::from_secs(5) };
        let samples = |series: &Series<1>| -> Vec<u64> {
            series.samples(at(31), window, |values| values[0]).into_iter().map(|(_, value)| value).collect()
        };
        assert_eq!(samples(&series), [7, 2, 2, 2, 2, 1, 0]);
        let other = Series::begun(at(20), at(15), true, [100]);
        let sum = Series::sum(&[&series, &other]).unwrap();
        assert_eq!(samples(&sum), [107, 102, 102, 2, 2, 1, 0]);
    }

    #[test]
    fn the_past_is_kept_ever_less_closely_and_then_not_at_all() {
        let mut series = Series::begun(at(0), at(0), false, [0]);
        let day = Duration::from_hours(24);
        for tick in 1..=(2 * 86_400 / 5) {
            series.push(at(5 * tick), at(5 * tick - 5), [tick]);
            if tick % 12 == 0 {
                series.thin(at(5 * tick), day);
            }
        }
        assert!(series.runs.len() < 400, "{} runs", series.runs.len());
        assert!(at(2 * 86_400).since(series.runs.front().unwrap().from) >= day);
        let window = Window { age: Duration::from_hours(20), step: Duration::from_mins(30) };
        for pair in series.samples(at(2 * 86_400), window, |values| values[0]).windows(2) {
            assert!(pair[0].1 > pair[1].1, "{pair:?}");
        }
    }
}
