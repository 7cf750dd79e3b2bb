//! `leveret top`: a live view of what goes through a broker.

mod rates;
mod screen;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use serde_json::Value;

use super::client::{path, query};
use super::desk::{Desk, DeskFlags};
use super::exit;
use super::failure::Failure;
use super::nouns::VhostFlag;
use rates::{Rates, Sample};
use screen::Screen;

const EXAMPLES: &str = "\
Examples:
  leveret top                          the broker on this machine
  leveret top -p shop --interval 5     one virtual host's queues, every five seconds
  leveret top --url https://ops@mq.example.com:15671

Keys: s sorts by the next column, r reverses, Space halts, arrows and PgUp/PgDn scroll, q or Esc ends.";

/// Watch rates, queues, memory and disk live.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TopOptions {
    /// How many seconds lie between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    interval: f64,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

/// So many queues are asked for at most: all of a broker with more would take longer than the interval.
const QUEUES_MAX: usize = 500;
/// What is asked of a queue.
const COLUMNS: &str = "vhost,name,messages_ready,messages_unacknowledged,consumers,message_stats";

/// Does what the command says.
pub(super) fn run(options: TopOptions) -> ExitCode {
    let TopOptions { interval, vhost, desk } = options;
    desk.run(|desk| {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(Failure::usage("there is no terminal to show it at").helped_by(
                "For programs: 'leveret status -o json' and 'leveret queues ls --watch -o jsonl'.",
            ));
        }
        let vhost = desk.vhost_of_list(vhost.given());
        let interval = Duration::from_secs_f64(interval.clamp(0.2, 3600.0));
        // Before the screen is taken: what goes wrong here is told as elsewhere.
        let first = look(desk, vhost.as_deref())?;
        let mut terminal = ratatui::try_init().map_err(|error| {
            Failure::new(exit::UNAVAILABLE, "the terminal cannot be used").because(error.to_string())
        })?;
        let ended = watch(&mut terminal, desk, vhost.as_deref(), interval, first);
        ratatui::restore();
        ended
    })
}

fn watch(
    terminal: &mut DefaultTerminal,
    desk: &mut Desk,
    vhost: Option<&str>,
    interval: Duration,
    first: Sample,
) -> Result<(), Failure> {
    let mut rates = Rates::new(first);
    let mut screen = Screen::default();
    let mut due = Instant::now() + interval;
    loop {
        let drawn = terminal.draw(|frame| screen.draw(frame, &rates));
        drawn.map_err(|error| lost(&error))?;
        let left = due.saturating_duration_since(Instant::now());
        if event::poll(left).map_err(|error| lost(&error))? {
            let event = event::read().map_err(|error| lost(&error))?;
            if is_end(&event, &mut screen) {
                return Ok(());
            }
            continue;
        }
        due = Instant::now() + interval;
        if !screen.is_halted() {
            rates.add(look(desk, vhost)?);
        }
    }
}

/// Whether to end; otherwise the screen has followed the key.
fn is_end(event: &Event, screen: &mut Screen) -> bool {
    let Event::Key(key) = event else { return false };
    if key.kind == KeyEventKind::Release {
        return false;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return true,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
        KeyCode::Char('s') => screen.sort_by_next(),
        KeyCode::Char('r') => screen.reverse(),
        KeyCode::Char(' ') => screen.halt(),
        KeyCode::Down => screen.scroll(1),
        KeyCode::Up => screen.scroll(-1),
        KeyCode::PageDown => screen.scroll(20),
        KeyCode::PageUp => screen.scroll(-20),
        KeyCode::Home => screen.scroll(isize::MIN),
        _ => {}
    }
    false
}

fn lost(error: &io::Error) -> Failure {
    Failure::new(exit::UNAVAILABLE, "the terminal is gone").because(error.to_string())
}

/// Everything that is shown, as it is now.
fn look(desk: &mut Desk, vhost: Option<&str>) -> Result<Sample, Failure> {
    let overview = desk.get(&path(&["overview"]))?;
    let name = overview.get("node").and_then(Value::as_str).unwrap_or_default().to_owned();
    // That is for monitors and administrators; everybody sees the rest.
    let node = match desk.get(&path(&["nodes", &name])) {
        Ok(node) => node,
        Err(failure) if matches!(failure.status, Some(401 | 403)) => Value::Null,
        Err(failure) => return Err(failure),
    };
    let size = QUEUES_MAX.to_string();
    let fields = [
        ("columns", COLUMNS),
        ("page", "1"),
        ("page_size", size.as_str()),
        ("sort", "messages"),
        ("sort_reverse", "true"),
    ];
    let parts: Vec<&str> = ["queues"].into_iter().chain(vhost).collect();
    let queues = desk.get(&query(&path(&parts), &fields))?;
    Ok(Sample::new(Instant::now(), &overview, &node, &queues))
}
