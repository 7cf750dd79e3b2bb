//! How the live view is laid out.

use std::cmp::Ordering;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table};

use super::rates::{Queue, Rates};
use crate::cli::nouns::words;
use crate::cli::output::escape;

/// By what queues are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Messages,
    Published,
    Delivered,
    Acknowledged,
    Consumers,
    Name,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Messages => Self::Published,
            Self::Published => Self::Delivered,
            Self::Delivered => Self::Acknowledged,
            Self::Acknowledged => Self::Consumers,
            Self::Consumers => Self::Name,
            Self::Name => Self::Messages,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Published => "published",
            Self::Delivered => "delivered",
            Self::Acknowledged => "acknowledged",
            Self::Consumers => "consumers",
            Self::Name => "name",
        }
    }

    /// The most first, names in their order.
    fn compare(self, one: &Queue, other: &Queue) -> Ordering {
        let by_name = (&one.vhost, &one.name).cmp(&(&other.vhost, &other.name));
        let by_number = match self {
            Self::Messages => (other.ready + other.unacked).cmp(&(one.ready + one.unacked)),
            Self::Published => other.rate.published.total_cmp(&one.rate.published),
            Self::Delivered => other.rate.delivered.total_cmp(&one.rate.delivered),
            Self::Acknowledged => other.rate.acknowledged.total_cmp(&one.rate.acknowledged),
            Self::Consumers => other.consumers.cmp(&one.consumers),
            Self::Name => Ordering::Equal,
        };
        by_number.then(by_name)
    }
}

/// What of it is shown.
#[derive(Debug, Default)]
pub(super) struct Screen {
    sort: Sort,
    is_reversed: bool,
    is_halted: bool,
    first: usize,
}

impl Screen {
    pub(super) fn sort_by_next(&mut self) {
        self.sort = self.sort.next();
    }

    pub(super) fn reverse(&mut self) {
        self.is_reversed = !self.is_reversed;
    }

    pub(super) fn halt(&mut self) {
        self.is_halted = !self.is_halted;
    }

    pub(super) fn is_halted(&self) -> bool {
        self.is_halted
    }

    pub(super) fn scroll(&mut self, rows: isize) {
        self.first = self.first.saturating_add_signed(rows);
    }

    /// Draws all of it.
    pub(super) fn draw(&mut self, frame: &mut Frame, rates: &Rates) {
        let parts = Layout::vertical([
            Constraint::Length(4),
            Constraint::Length(6),
            Constraint::Min(3),
            Constraint::Length(1),
        ]);
        let [head, curves, queues, foot] = parts.areas(frame.area());
        frame.render_widget(Paragraph::new(summary(rates)), head);
        draw_curves(frame, curves, rates);
        self.draw_queues(frame, queues, rates);
        let halted = if self.is_halted { "  HALTED" } else { "" };
        let reversed = if self.is_reversed { " reversed" } else { "" };
        let keys = format!(
            "sorted by {}{reversed}{halted}   s sort  r reverse  Space halt  arrows scroll  q quit",
            self.sort.name()
        );
        frame.render_widget(Paragraph::new(keys).style(Style::new().fg(Color::DarkGray)), foot);
    }

    fn draw_queues(&mut self, frame: &mut Frame, area: Rect, rates: &Rates) {
        let (queues, total) = rates.queues();
        let mut queues: Vec<&Queue> = queues.iter().collect();
        queues.sort_by(|one, other| {
            let order = self.sort.compare(one, other);
            if self.is_reversed { order.reverse() } else { order }
        });
        self.first = self.first.min(queues.len().saturating_sub(1));
        let rows = queues.iter().skip(self.first).map(|queue| row(queue));
        let widths = [
            Constraint::Min(20),
            Constraint::Length(12),
            Constraint::Length(12),
            Constraint::Length(10),
            Constraint::Length(12),
            Constraint::Length(12),
            Constraint::Length(12),
        ];
        let right = |text: &'static str| Cell::new(Line::from(text).right_aligned());
        let names = ["ready", "unacked", "consumers", "publish/s", "deliver/s", "ack/s"].map(right);
        let header = Row::new([Cell::new("queue")].into_iter().chain(names));
        let header = header.style(Style::new().add_modifier(Modifier::BOLD));
        let shown = queues.len();
        let title = if u64::try_from(shown) == Ok(total) {
            format!(" {total} queues ")
        } else {
            format!(" the {shown} longest of {total} queues ")
        };
        let table = Table::new(rows, widths).header(header).block(Block::bordered().title(title));
        frame.render_widget(table, area);
    }
}

fn row(queue: &Queue) -> Row<'static> {
    let name = if queue.vhost == "/" {
        escape(&queue.name).into_owned()
    } else {
        format!("{}: {}", escape(&queue.vhost), escape(&queue.name))
    };
    let right = |text: String| Cell::new(Line::from(text).right_aligned());
    let numbers = [queue.ready, queue.unacked, queue.consumers].map(|number| right(number.to_string()));
    let rates = [queue.rate.published, queue.rate.delivered, queue.rate.acknowledged];
    Row::new([Cell::new(name)].into_iter().chain(numbers).chain(rates.map(|rate| right(per_second(rate)))))
}

/// Four lines about the broker as a whole.
fn summary(rates: &Rates) -> Vec<Line<'static>> {
    let up = rates.of_node("uptime").map(|uptime| format!(", up {}", words(uptime))).unwrap_or_default();
    let first = format!("leveret {} at {}{up}", rates.text("leveret_version"), escape(rates.text("node")));
    let count = |name: &str| rates.total(&format!("/object_totals/{name}"));
    let second = format!(
        "{} connections  {} channels  {} consumers  {} queues  {} exchanges",
        count("connections"),
        count("channels"),
        count("consumers"),
        count("queues"),
        count("exchanges")
    );
    let third = format!(
        "{} messages: {} ready, {} unacked",
        rates.total("/queue_totals/messages"),
        rates.total("/queue_totals/messages_ready"),
        rates.total("/queue_totals/messages_unacknowledged")
    );
    let mib = |name: &str| rates.of_node(name).map(|bytes| bytes >> 20);
    let fourth = match (mib("mem_used"), mib("mem_limit"), mib("disk_free")) {
        (Some(used), Some(limit), Some(free)) => format!(
            "memory {used} of {limit} MiB{}  disk {free} MiB free{}",
            if rates.is_raised("mem_alarm") { " ALARM" } else { "" },
            if rates.is_raised("disk_free_alarm") { " ALARM" } else { "" }
        ),
        _ => String::new(),
    };
    let is_alarmed = rates.is_raised("mem_alarm") || rates.is_raised("disk_free_alarm");
    let style = if is_alarmed { Style::new().fg(Color::Red) } else { Style::new() };
    vec![
        Line::from(first).style(Style::new().add_modifier(Modifier::BOLD)),
        Line::from(second),
        Line::from(third),
        Line::from(fourth).style(style),
    ]
}

fn draw_curves(frame: &mut Frame, area: Rect, rates: &Rates) {
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    let (published, delivered) = rates.curves(usize::from(left.width.saturating_sub(2)));
    for (area, name, rate, curve, colour) in [
        (left, "published", rates.rate.published, published, Color::Green),
        (right, "delivered", rates.rate.delivered, delivered, Color::Cyan),
    ] {
        let block = Block::bordered().title(format!(" {name} {}/s ", per_second(rate)));
        frame.render_widget(
            Sparkline::default().block(block).data(curve).style(Style::new().fg(colour)),
            area,
        );
    }
}

/// A rate in few characters.
fn per_second(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{:.2} M", rate / 1e6)
    } else if rate >= 1e4 {
        format!("{:.1} k", rate / 1e3)
    } else if rate > 0.0 && rate < 10.0 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::rates::Sample;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::{Value, json};
    use std::time::{Duration, Instant};

    fn sample(at: Instant, published: u64) -> Sample {
        let overview = json!({
            "leveret_version": "1.2.3", "node": "n", "message_stats": { "publish": published },
            "object_totals": { "queues": 2 }, "queue_totals": { "messages": 9, "messages_ready": 5 },
        });
        let node = json!({ "uptime": 61_000, "mem_used": 1 << 20, "mem_limit": 5 << 20, "disk_free": 0, "mem_alarm": true });
        let queue = |name: &str, ready: u64, published: u64| json!({ "vhost": "/", "name": name, "messages_ready": ready, "message_stats": { "publish": published } });
        let queues = [queue("long\x1b", 5, 0), queue("busy", 0, published)];
        Sample::new(at, &overview, &node, &json!({ "items": queues, "total_count": 2 }))
    }

    fn drawn(screen: &mut Screen, rates: &Rates) -> String {
        let mut terminal = Terminal::new(TestBackend::new(120, 20)).unwrap();
        terminal.draw(|frame| screen.draw(frame, rates)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_view_shows_what_there_is_and_how_fast_it_goes() {
        let start = Instant::now();
        let mut rates = Rates::new(sample(start, 0));
        rates.add(sample(start + Duration::from_secs(2), 2_500_000));
        let mut screen = Screen::default();
        let view = drawn(&mut screen, &rates);
        for text in [
            "leveret 1.2.3 at n, up 1m 1s",
            "9 messages: 5 ready",
            "ALARM",
            "published 1.25 M/s",
            "2 queues",
            "long\\u{1b}",
        ] {
            assert!(view.contains(text), "no {text} in\n{view}");
        }
        let first = |view: &str| view.find("long").unwrap() < view.find("busy").unwrap();
        assert!(first(&view), "{view}");
        screen.sort_by_next();
        let view = drawn(&mut screen, &rates);
        assert!(!first(&view), "{view}");
        screen.reverse();
        assert!(first(&drawn(&mut screen, &rates)));
    }

    #[test]
    fn whoever_may_not_see_the_node_sees_the_rest() {
        let overview = json!({ "node": "n" });
        let rates = Rates::new(Sample::new(Instant::now(), &overview, &Value::Null, &Value::Null));
        let view = drawn(&mut Screen::default(), &rates);
        assert!(view.contains("0 queues") && !view.contains("memory"), "{view}");
    }
}
