//! The key that somebody meant.

use super::key::Key;
use super::keys::keys;

/// The key whose name, or whose name in RabbitMQ, is like `given`, if one is.
pub(super) fn nearest(given: &str) -> Option<&'static Key> {
    let given: &str = &given.to_ascii_lowercase().replace('-', "_");
    let candidates = keys().flat_map(|key| {
        let names = std::iter::once(key.name).chain(key.rabbitmq.iter().map(|alias| alias.name));
        names.map(move |name| (likeness(given, name), key))
    });
    let (distance, key) = candidates.min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed(given)).then_some(key)
}

/// The name of a key in `rabbitmq.conf` that is written as `given` by a slip of the pen. RabbitMQ has no two names that are
/// as near to each other; what is farther away may be one of its many others.
pub(super) fn slip_of(given: &str) -> Option<&'static str> {
    const SLIP: usize = 2;
    let mut aliases = keys().flat_map(|key| key.rabbitmq).map(|alias| alias.name);
    aliases.find(|name| match name.split_once(".$") {
        Some((prefix, _)) => {
            let parts = prefix.split('.').count();
            let end = given.match_indices('.').nth(parts - 1).map_or(given.len(), |(at, _)| at);
            let (given, rest) = given.split_at(end);
            !rest.is_empty() && given != prefix && distance(given, prefix) <= SLIP
        }
        None => distance(given, name) <= SLIP,
    })
}

/// The variable whose name, without `LEVERET_` and in small letters, is like `given`.
pub(super) fn nearest_variable(given: &str) -> Option<&'static str> {
    let of = |key: &'static Key| (distance(given, &key.name.replace('.', "_")), key.variable());
    let (distance, variable) = keys().map(of).min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed(given)).then_some(variable)
}

/// So many wrong letters may be in a name.
fn allowed(given: &str) -> usize {
    (given.chars().count() / 3).clamp(1, 4)
}

/// How far `given` is from `name`, or from the part of it behind its section.
fn likeness(given: &str, name: &str) -> usize {
    let whole = distance(given, name);
    match name.rsplit_once('.') {
        Some((_, last)) => whole.min(distance(given, last) + 1),
        None => whole,
    }
}

/// Levenshtein's distance, where two neighbours that are swapped are one mistake. Names are short, and what is given is
/// cut to be so.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 80;
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(LONGEST).collect(), b.chars().take(LONGEST).collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - LONGEST);
            let replaced = at(&last, j) + usize::from(from != to);
            let mut fewest = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = j > 0 && i > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if swapped {
                fewest = fewest.min(at(&before_last, j - 1) + 1);
            }
            row.push(fewest);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_little_wrong_is_understood() {
        for (given, meant) in [
            ("heartbaet", Some("heartbeat")),
            ("heart_beat", Some("heartbeat")),
            ("log_level", Some("log.level")),
            ("log.levle", Some("log.level")),
            ("max-message-size", Some("max_message_size")),
            ("vm_memory_high_watermark.relative", Some("memory_limit")),
            ("vm_memory_high_watermark.absolut", Some("memory_limit")),
            ("tcp_listen_options.backlog", Some("tcp.backlog")),
            ("backlog", Some("tcp.backlog")),
            ("listeners.tpc", Some("listeners.tcp")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest(given).map(|key| key.name), meant, "{given}");
        }
        assert!(nearest(&"long".repeat(100_000)).is_none());
    }

    #[test]
    fn a_distance_counts_letters_that_are_wrong_missing_too_many_or_swapped() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abd", 1), ("abc", "acb", 1), ("ab", "ba", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
