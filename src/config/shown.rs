//! A value as text: in TOML, in JSON, in a sentence.

use std::fmt::{self, Write};

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It is not set, and what happens then is no value of the key.
    Unset,
    /// Text, which needs quotes.
    Text(String),
    /// A number, `true` or `false`.
    Literal(String),
    /// Several.
    List(Vec<Shown>),
    /// A secret that is set.
    Hidden,
}

impl Shown {
    /// As TOML and JSON write it alike.
    pub fn quoted(&self) -> String {
        match self {
            Self::Unset => "null".to_owned(),
            Self::Text(text) => quote(text),
            Self::Literal(text) => text.clone(),
            Self::List(list) => {
                let list: Vec<String> = list.iter().map(Self::quoted).collect();
                format!("[{}]", list.join(", "))
            }
            Self::Hidden => "\"(hidden)\"".to_owned(),
        }
    }

    /// The texts that a source gives it by.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Unset | Self::Hidden => Vec::new(),
            Self::Text(text) | Self::Literal(text) => vec![text.clone()],
            Self::List(list) => list.iter().flat_map(Self::texts).collect(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("(not set)"),
            Self::Hidden => f.write_str("(hidden)"),
            _ => f.write_str(&self.texts().join(", ")),
        }
    }
}

/// A string that TOML and JSON read alike.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => {
                // A string takes all that is written to it.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_one_line_and_reads_as_it_was() {
        for text in ["", "plain", "a \"b\" \\ c", "\u{0}\n\r\t\u{7f}\u{9f}", "ü €"] {
            let quoted = quote(text);
            assert!(!quoted.contains(char::is_control), "{quoted}");
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
            let toml = format!("x = {quoted}");
            let table = toml::de::DeTable::parse(&toml).unwrap().into_inner();
            assert_eq!(table.get("x").unwrap().get_ref().as_str(), Some(text));
        }
    }
}
