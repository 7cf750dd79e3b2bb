//! Where something stands in a document.

use std::fmt;

/// A place in a document: `queues[3].arguments.x-max-length`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(String);

impl Path {
    /// An object of a section.
    pub(super) fn object(section: &str, index: usize) -> Self {
        Self(format!("{section}[{index}]"))
    }

    /// What has this name in it. What is no plain name is told so that it can be read.
    pub(super) fn field(&self, name: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let name = if name.is_empty() || !name.chars().all(is_plain) {
            format!("'{}'", name.escape_debug())
        } else {
            name.to_owned()
        };
        Self(if self.0.is_empty() { name } else { format!("{}.{name}", self.0) })
    }

    /// What has these names in it, one within the other, with dots between them; nothing for the object itself.
    pub(super) fn fields(&self, names: &[&str]) -> Self {
        names.iter().fold(self.clone(), |path, name| path.field(name))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that is to be told of a place: a mistake, or what has no effect here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The place.
    pub path: Path,
    /// What is to be told.
    pub reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_as_a_path() {
        let queue = Path::object("queues", 3);
        for (path, expected) in [
            (queue.clone(), "queues[3]"),
            (queue.fields(&["arguments", "x-max-length"]), "queues[3].arguments.x-max-length"),
            (queue.fields(&["arguments", "a.b\n"]), "queues[3].arguments.'a.b\\n'"),
            (Path::default().field("users"), "users"),
        ] {
            assert_eq!(path.to_string(), expected);
        }
    }
}
