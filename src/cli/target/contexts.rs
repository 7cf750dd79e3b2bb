//! Brokers that are saved under names, in a file of the user's own.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::exit;
use crate::cli::failure::Failure;

/// A broker as it is saved. There is no password in it, but perhaps the name of a file with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Context {
    /// The broker's URL, without a password.
    pub(in crate::cli) url: String,
    pub(in crate::cli) user: Option<String>,
    pub(in crate::cli) password_file: Option<PathBuf>,
    pub(in crate::cli) ca_file: Option<PathBuf>,
    pub(in crate::cli) vhost: Option<String>,
}

impl Context {
    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            url: text("url")?,
            user: text("user"),
            password_file: text("password_file").map(PathBuf::from),
            ca_file: text("ca_file").map(PathBuf::from),
            vhost: text("vhost"),
        })
    }

    /// Everything that is saved of it.
    pub(in crate::cli) fn json(&self) -> Value {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let fields = [
            ("url", Some(self.url.clone())),
            ("user", self.user.clone()),
            ("password_file", path(&self.password_file)),
            ("ca_file", path(&self.ca_file)),
            ("vhost", self.vhost.clone()),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        Value::Object(fields.collect())
    }
}

/// All that are saved.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Contexts {
    saved: BTreeMap<String, Context>,
    in_use: Option<String>,
}

impl Contexts {
    /// What is saved; nothing where there is no file.
    pub(in crate::cli) fn read() -> Result<Self, Failure> {
        let Some(path) = file() else { return Ok(Self::default()) };
        Self::read_from(&path)
    }

    fn read_from(path: &Path) -> Result<Self, Failure> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Failure::unreadable(path, &error)),
        };
        let damaged = |why: String| {
            Failure::data(format!("{} holds no contexts", path.display()))
                .because(why)
                .helped_by("Mend it or remove it, then save them again: 'leveret context save'.")
        };
        let value: Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let empty = Map::new();
        let objects = value.get("contexts").and_then(Value::as_object).unwrap_or(&empty);
        let mut saved = BTreeMap::new();
        for (name, object) in objects {
            let context = Context::read(object).ok_or_else(|| damaged(format!("'{name}' has no URL")))?;
            saved.insert(name.clone(), context);
        }
        let in_use = value.get("in_use").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { saved, in_use })
    }

    /// Saves them for the next command.
    pub(in crate::cli) fn write(&self) -> Result<(), Failure> {
        let path = file().ok_or_else(|| {
            Failure::new(exit::CANNOT_CREATE, "contexts cannot be saved")
                .because("neither XDG_CONFIG_HOME nor HOME says where")
        })?;
        self.write_to(&path).map_err(|error| {
            Failure::new(exit::CANNOT_CREATE, format!("{} cannot be written", path.display()))
                .because(error.to_string())
        })
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let contexts = self.saved.iter().map(|(name, context)| (name.clone(), context.json()));
        let value = json!({ "in_use": self.in_use, "contexts": contexts.collect::<Map<_, _>>() });
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(format!("{value:#}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    }

    /// The one that is used unless another is named.
    pub(in crate::cli) fn in_use(&self) -> Option<&str> {
        self.in_use.as_deref()
    }

    /// All of them in the order of their names.
    pub(in crate::cli) fn all(&self) -> impl Iterator<Item = (&str, &Context)> {
        self.saved.iter().map(|(name, context)| (name.as_str(), context))
    }

    pub(in crate::cli) fn named(&self, name: &str) -> Result<&Context, Failure> {
        self.saved.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.saved.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none is saved".to_owned() } else { known.join(", ") };
            Failure::new(exit::NO_INPUT, format!("there is no context '{name}'"))
                .because(known)
                .helped_by("See 'leveret context ls'; 'leveret context save NAME --url URL' saves one.")
        })
    }

    /// Saves one, in place of another with the name.
    pub(in crate::cli) fn save(&mut self, name: &str, context: Context) {
        self.saved.insert(name.to_owned(), context);
    }

    /// Has one used from now on.
    pub(in crate::cli) fn use_by_default(&mut self, name: &str) -> Result<(), Failure> {
        self.named(name)?;
        self.in_use = Some(name.to_owned());
        Ok(())
    }

    /// None is used any more.
    pub(in crate::cli) fn use_none(&mut self) {
        self.in_use = None;
    }

    /// Forgets one, also as the one in use.
    pub(in crate::cli) fn forget(&mut self, name: &str) -> Result<(), Failure> {
        self.named(name)?;
        self.saved.remove(name);
        self.in_use = self.in_use.take().filter(|used| used != name);
        Ok(())
    }
}

fn file() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))?;
    Some(config.join("leveret").join("contexts.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn contexts_are_found_again_by_their_owner_alone() {
        let folder = std::env::temp_dir().join(format!("leveret-contexts-{}", std::process::id()));
        let path = folder.join("below").join("contexts.json");
        assert!(Contexts::read_from(&path).unwrap().all().next().is_none(), "nothing is saved");
        let context =
            Context { url: "http://h".to_owned(), user: Some("u".to_owned()), ..Context::default() };
        let mut contexts = Contexts::default();
        contexts.save("a", context.clone());
        contexts.save("b", Context { vhost: Some("/".to_owned()), ..context.clone() });
        contexts.use_by_default("a").unwrap();
        contexts.write_to(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut read = Contexts::read_from(&path).unwrap();
        assert_eq!((read.named("a").unwrap(), read.in_use()), (&context, Some("a")));
        read.forget("a").unwrap();
        assert_eq!((read.all().count(), read.in_use()), (1, None));
        fs::write(&path, "{").unwrap();
        assert!(Contexts::read_from(&path).unwrap_err().to_string().contains("holds no contexts"));
        fs::remove_dir_all(folder).unwrap();
    }
}
