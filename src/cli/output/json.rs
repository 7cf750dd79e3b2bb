//! JSON, in which nothing stands that a terminal would obey.

use std::fmt::Write;

use serde_json::Value;

use super::escape::is_obeyed;

/// On lines of their own, for people.
pub(super) fn pretty(value: &Value) -> String {
    safe(&format!("{value:#}")) + "\n"
}

/// On one line.
pub(super) fn line(value: &Value) -> String {
    safe(&value.to_string()) + "\n"
}

/// The same JSON. Such characters stand within its texts only, and may be written as numbers there.
fn safe(json: &str) -> String {
    let is_unsafe = |c: char| c != '\n' && is_obeyed(c);
    if !json.contains(is_unsafe) {
        return json.to_owned();
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // A string takes all that is written to it.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_stays_what_it_was_and_a_terminal_obeys_none_of_it() {
        let value = json!({ "a\u{9b}\x1b": "\u{202e}\n\x7f ü" });
        for text in [pretty(&value), line(&value)] {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            assert!(!text.trim_end().contains(|c: char| c != '\n' && is_obeyed(c)), "{text:?}");
        }
    }
}
