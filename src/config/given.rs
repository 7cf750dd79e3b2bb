//! What a source gives, where it stands, and what is wrong with it.

use std::fmt;
use std::path::PathBuf;

use super::key::Key;

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has said anything.
    #[default]
    Default,
    /// A file.
    File {
        /// Which.
        path: PathBuf,
        /// Its line, the first being 1; 0 is the file as a whole.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag, without dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A key with what a source says it is.
#[derive(Clone)]
pub struct Given {
    /// The key.
    pub key: &'static Key,
    /// Its value, or the values of a list.
    pub texts: Vec<String>,
    /// Where that stands.
    pub origin: Origin,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Given");
        shown.field("key", &self.key.name).field("origin", &self.origin);
        if !self.key.field.is_secret() {
            shown.field("texts", &self.texts);
        }
        shown.finish()
    }
}

/// Why there is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub origin: Origin,
    /// The key as it is written there, if it is about one.
    pub key: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// The key that was meant.
    pub nearest: Option<&'static str>,
}

impl Mistake {
    pub(super) fn new(origin: Origin, key: Option<&str>, reason: impl Into<String>) -> Self {
        Self { origin, key: key.map(str::to_owned), reason: reason.into(), nearest: None }
    }

    /// There is no such key.
    pub(super) fn unknown(origin: Origin, key: &str) -> Self {
        let nearest = super::nearest::nearest(key).map(|key| key.name);
        Self { nearest, ..Self::new(origin, Some(key), "there is no such key") }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        // A flag and a variable are their keys.
        if let (Some(key), Origin::File { .. } | Origin::Default) = (&self.key, &self.origin) {
            write!(f, "{}: ", super::shown::quote(key))?;
        }
        f.write_str(&self.reason)?;
        if let Some(nearest) = self.nearest {
            write!(f, "; did you mean \"{nearest}\"?")?;
        }
        Ok(())
    }
}

/// All that is wrong: at least one mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
