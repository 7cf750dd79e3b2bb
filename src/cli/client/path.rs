//! Paths of the HTTP API, with names in them.

use std::fmt::Write;

/// `/api/` and these parts, each quoted: names may have slashes and anything else in them.
pub(in crate::cli) fn path(parts: &[&str]) -> String {
    parts.iter().fold("/api".to_owned(), |path, part| path + "/" + &quoted(part))
}

/// A name as it stands in a path or a query.
pub(in crate::cli) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                quoted.push(char::from(octet));
            }
            octet => {
                // A string takes all that is written to it.
                let _ = write!(quoted, "%{octet:02X}");
            }
        }
    }
    quoted
}

/// A path with a query behind it, if there is anything to say.
pub(in crate::cli) fn query(path: &str, fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", quoted(name), quoted(value))).collect();
    if fields.is_empty() { path.to_owned() } else { format!("{path}?{}", fields.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_paths_whatever_is_in_them() {
        for (parts, expected) in [
            (&["queues", "/", "a b"][..], "/api/queues/%2F/a%20b"),
            (&["queues", "v", "ü%?#+"], "/api/queues/v/%C3%BC%25%3F%23%2B"),
            (&["overview"], "/api/overview"),
        ] {
            assert_eq!(path(parts), expected);
        }
        assert_eq!(query("/api/queues", &[]), "/api/queues");
        assert_eq!(query("/api/queues", &[("columns", "a,b.c")]), "/api/queues?columns=a%2Cb.c");
    }
}
