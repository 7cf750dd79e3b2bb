//! `leveret metrics`: what Prometheus is told, read once.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::vhost::VhostFlag;
use crate::cli::client::{Client, Endpoint, Request, path, query};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, escape, print};

const EXAMPLES: &str = "\
Examples:
  leveret metrics                                       all that is told of the broker as a whole
  leveret metrics queue_messages                        those with this in their names
  leveret metrics --per-object queue_messages_ready     for each queue
  leveret metrics --family queue_coarse_metrics -p /
  leveret metrics leveret_ -o json";

const COLUMNS: [&str; 3] = ["name", "labels", "value"];

/// Show the metrics that the broker tells Prometheus.
///
/// Asks where the broker serves them, usually at port 15692.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct MetricsOptions {
    /// Only those with this text in their names
    name: Option<String>,
    /// For each queue, connection and channel
    #[arg(long)]
    per_object: bool,
    /// Only these families, in detail, such as queue_coarse_metrics
    #[arg(long, value_name = "FAMILY", value_delimiter = ',', conflicts_with = "per_object")]
    family: Vec<String>,
    #[command(flatten)]
    vhost: VhostFlag,
    #[command(flatten)]
    desk: DeskFlags,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: MetricsOptions) -> ExitCode {
    let MetricsOptions { name, per_object, family, vhost, desk } = options;
    desk.run(|desk| {
        let place = match (per_object, family.is_empty()) {
            (true, _) => "/metrics/per-object",
            (false, false) => "/metrics/detailed",
            (false, true) => "/metrics",
        };
        let fields = family.iter().map(|family| ("family", family.as_str()));
        let fields: Vec<(&str, &str)> = fields.chain(vhost.given().map(|vhost| ("vhost", vhost))).collect();
        let place = query(place, &fields);
        let mut client = beside(desk)?;
        desk.output.clone().watched(|| {
            let answer = client.ask(&Request::get(&place).with_header("accept", "text/plain"))?;
            show(desk, &String::from_utf8_lossy(&answer.body), name.as_deref())
        })
    })
}

/// A client of where the same broker serves its metrics.
fn beside(desk: &mut Desk) -> Result<Client, Failure> {
    let overview = desk.get(&path(&["overview"]))?;
    let listeners = overview.get("listeners").and_then(Value::as_array).into_iter().flatten();
    let found = listeners.into_iter().find_map(|listener| {
        let tls = match listener.get("protocol")?.as_str()? {
            "http/prometheus" => false,
            "https/prometheus" => true,
            _ => return None,
        };
        let port = u16::try_from(listener.get("port")?.as_u64()?).ok()?;
        Some((tls, listener.get("ip_address")?.as_str()?.to_owned(), port))
    });
    let Some((tls, address, port)) = found else {
        return Err(Failure::new(exit::UNAVAILABLE, "the broker serves no metrics, or does not say where")
            .helped_by(
                "It does with metrics.listen; where is told to users with the tag monitoring or administrator.",
            ));
    };
    let host = match desk.endpoint() {
        // Where it is reached at all.
        Some(Endpoint::Host { host, .. }) => host.clone(),
        _ if matches!(address.as_str(), "0.0.0.0" | "::") => "127.0.0.1".to_owned(),
        _ => address,
    };
    Client::new(desk.target_at(Endpoint::Host { host, port, tls, prefix: String::new() }))
}

fn show(desk: &Desk, text: &str, name: Option<&str>) -> Result<(), Failure> {
    let is_wanted = |line: &str| name.is_none_or(|name| metric(line).contains(name));
    let is_text = matches!(desk.output.format(), Format::Table | Format::Plain);
    if is_text && desk.output.columns().is_empty() {
        let lines = text.lines().filter(|line| is_wanted(line));
        return print(&lines.fold(String::new(), |text, line| text + &escape(line) + "\n"));
    }
    let rows = text.lines().filter(|line| !line.starts_with('#') && is_wanted(line));
    desk.output.list(rows.filter_map(sample).collect(), &COLUMNS)
}

/// The name of the metric that a line is about.
fn metric(line: &str) -> &str {
    let name = line.strip_prefix("# TYPE ").or_else(|| line.strip_prefix("# HELP ")).unwrap_or(line);
    name.split(['{', ' ']).next().unwrap_or_default()
}

/// A line with a value as an object.
fn sample(line: &str) -> Option<Value> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let value = value.parse::<f64>().map_or_else(|_| json!(value), |number| json!(number));
    let labels = self::labels(labels.strip_suffix('}').unwrap_or(labels));
    Some(json!({ "name": name, "labels": labels, "value": value }))
}

/// `a="b",c="d"`, in which quotes, backslashes and ends of lines are escaped.
fn labels(text: &str) -> Value {
    let mut labels = Map::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (mut value, mut is_escaped, mut end) = (String::new(), false, after.len());
        for (at, c) in after.char_indices() {
            match c {
                'n' if is_escaped => value.push('\n'),
                c if is_escaped => value.push(c),
                '\\' => {}
                '"' => {
                    end = at + 1;
                    break;
                }
                c => value.push(c),
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        labels.insert(name.trim_start_matches(',').to_owned(), Value::from(value));
        rest = after.get(end..).unwrap_or_default();
    }
    Value::Object(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_metrics_is_read_with_its_labels() {
        for (line, expected) in [
            ("up 1", json!({ "name": "up", "labels": {}, "value": 1.0 })),
            (
                r#"a{queue="x\"y\\",vhost="/ {}"} 2.5"#,
                json!({ "name": "a", "labels": { "queue": "x\"y\\", "vhost": "/ {}" }, "value": 2.5 }),
            ),
        ] {
            assert_eq!(sample(line), Some(expected));
        }
        assert_eq!(metric("# TYPE a_b gauge"), "a_b");
        assert_eq!(metric("a_b{c=\"d\"} 1"), "a_b");
    }
}
