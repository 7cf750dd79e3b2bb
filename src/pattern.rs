//! Patterns of names: which names a policy or a permission is for.
//!
//! RabbitMQ's patterns are PCRE's, unanchored, on bytes. Ours take time in proportion to the length of a name, whatever
//! the pattern: there are no back references, no atomic groups and possessive repetitions, and look-ahead is known only
//! at the beginning of a pattern, or of an alternative on its top level, as in `^(?!amq\.).*`. Names are matched as bytes
//! unless the pattern makes sense for characters only, as `[éà]`.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// RabbitMQ takes no longer ones.
pub const PATTERN_MAX_BYTES: usize = 1024;

/// What a compiled pattern may take in memory: a short one may stand for a large machine.
const COMPILED_MAX_BYTES: usize = 1 << 20;

/// Which names something is for.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    alternatives: Vec<Alternative>,
}

/// One of the ways to match: none of `refused`, all of `required`, and `rest`.
#[derive(Clone)]
struct Alternative {
    required: Vec<Regex>,
    refused: Vec<Regex>,
    rest: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// It is none; the text says why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let alternatives = match compile(text) {
            Ok(rest) => vec![Alternative { required: Vec::new(), refused: Vec::new(), rest }],
            Err(error) => with_look_ahead(text).ok_or_else(|| reason(&error))?,
        };
        Ok(Self { text: text.into(), alternatives })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is found anywhere in a name.
    pub fn matches(&self, name: &str) -> bool {
        self.matches_bytes(name.as_bytes())
    }

    /// Whether it is found anywhere in these bytes.
    pub fn matches_bytes(&self, name: &[u8]) -> bool {
        self.alternatives.iter().any(|alternative| {
            alternative.required.iter().all(|pattern| pattern.is_match(name))
                && !alternative.refused.iter().any(|pattern| pattern.is_match(name))
                && alternative.rest.is_match(name)
        })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    let as_bytes = |unicode| {
        RegexBuilder::new(text)
            .unicode(unicode)
            .size_limit(COMPILED_MAX_BYTES)
            .dfa_size_limit(COMPILED_MAX_BYTES)
            .build()
    };
    as_bytes(false).or_else(|error| as_bytes(true).map_err(|_| error))
}

/// The last line of what the compiler says; those before show the place.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Takes a pattern apart whose alternatives begin with look-ahead; nothing when it is not like that.
fn with_look_ahead(text: &str) -> Option<Vec<Alternative>> {
    let (flags, body) = leading_flags(text);
    alternatives(body).map(|alternative| take_apart(flags, alternative)).collect()
}

/// `(?i)` and the like, and what follows.
fn leading_flags(text: &str) -> (&str, &str) {
    let end = text.strip_prefix("(?").and_then(|rest| rest.find(')')).map(|at| at.saturating_add(3));
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((flags, rest)) if flags.bytes().skip(2).all(|b| b.is_ascii_lowercase() || b == b')') => {
            (flags, rest)
        }
        _ => ("", text),
    }
}

fn take_apart(flags: &str, text: &str) -> Option<Alternative> {
    let (mut required, mut refused) = (Vec::new(), Vec::new());
    let Some(mut rest) = text.strip_prefix('^') else {
        return Some(Alternative { required, refused, rest: compile(&format!("{flags}{text}")).ok()? });
    };
    loop {
        let patterns = match rest.get(..3) {
            Some("(?!") => &mut refused,
            Some("(?=") => &mut required,
            _ => break,
        };
        let end = group_end(rest)?;
        let ahead = rest.get(3..end)?;
        patterns.push(compile(&format!("{flags}^(?:{ahead})")).ok()?);
        rest = rest.get(end.checked_add(1)?..)?;
    }
    Some(Alternative { required, refused, rest: compile(&format!("{flags}^(?:{rest})")).ok()? })
}

/// The parts between the bars that stand in no group.
fn alternatives(text: &str) -> impl Iterator<Item = &str> {
    let bars: Vec<usize> =
        depths(text).filter(|(_, byte, depth)| *byte == b'|' && *depth == 0).map(|(at, ..)| at).collect();
    let starts = std::iter::once(0).chain(bars.clone().into_iter().map(|at| at.saturating_add(1)));
    let ends = bars.into_iter().chain([text.len()]);
    starts.zip(ends).filter_map(|(start, end)| text.get(start..end))
}

/// Where the group ends that the text begins with.
fn group_end(text: &str) -> Option<usize> {
    depths(text).find(|(_, byte, depth)| *byte == b')' && *depth == 0).map(|(at, ..)| at)
}

/// The bytes that have a meaning as such, neither escaped nor in a class, and in how many groups they stand; the brackets
/// of a group stand outside of it.
fn depths(text: &str) -> impl Iterator<Item = (usize, u8, usize)> {
    let (mut depth, mut class, mut is_escaped) = (0_usize, None, false);
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        if std::mem::take(&mut is_escaped) {
            return None;
        }
        match (byte, class) {
            (b'\\', _) => is_escaped = true,
            // A bracket is one of the class if it is the first in it, or the first after `^`.
            (b']', Some(start)) if at > start => class = None,
            (b'^', Some(start)) if at == start => class = start.checked_add(1),
            (_, Some(_)) => {}
            (b'[', None) => class = at.checked_add(1),
            (b'(', None) => {
                depth = depth.saturating_add(1);
                return Some((at, byte, depth.saturating_sub(1)));
            }
            (b')', None) => {
                depth = depth.saturating_sub(1);
                return Some((at, byte, depth));
            }
            (_, None) => return Some((at, byte, depth)),
        }
        None
    })
}

#[cfg(test)]
mod tests;
