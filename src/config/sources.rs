//! Where a configuration comes from: flags over environment over files over defaults.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Config;
use super::environment::{CONFIG, Environment};
use super::given::{Given, Mistake, Mistakes, Origin};
use super::key::Key;
use super::keys::keys;
use super::rabbitmq_conf::RabbitmqConf;
use super::rabbitmq_variables::{ADVANCED_CONFIG_FILE, CONFIG_FILE, CONFIG_FILES};
use super::toml_file;

/// No file of settings is as large, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// Others may read a file with this bit in its mode.
const OTHERS_MAY_READ: u32 = 0o004;

/// What is read at the start, and again on SIGHUP.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file that a flag names.
    pub file: Option<PathBuf>,
    /// What flags say.
    pub flags: Vec<Given>,
    /// The environment.
    pub environment: Environment,
    /// Where files are looked for when none is named: ours and RabbitMQ's directory.
    pub directories: [PathBuf; 2],
}

impl Default for Sources {
    /// No flags and no environment.
    fn default() -> Self {
        Self {
            file: None,
            flags: Vec::new(),
            environment: Environment::default(),
            directories: ["/etc/leveret".into(), "/etc/rabbitmq".into()],
        }
    }
}

/// A configuration that can be served, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// What an operator should know: keys without a meaning, files that others may read.
    pub remarks: Vec<String>,
    origins: Vec<Origin>,
}

impl Loaded {
    /// Where a key's value comes from.
    pub fn origin(&self, key: &Key) -> &Origin {
        self.origins.get(key.index()).unwrap_or(&Origin::Default)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Toml,
    Rabbitmq,
}

impl Format {
    fn suffix(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Rabbitmq => "conf",
        }
    }
}

impl Sources {
    /// Reads everything.
    ///
    /// # Errors
    /// All mistakes that there are.
    pub fn load(&self) -> Result<Loaded, Mistakes> {
        let mut reading = Reading::default();
        reading.files(self);
        let (given, mistakes, remarks) = self.environment.given();
        reading.given.extend(given);
        reading.mistakes.extend(mistakes);
        reading.remarks.extend(remarks);
        reading.given.extend(self.flags.iter().cloned());
        reading.loaded()
    }
}

/// Reads a few files of RabbitMQ's format, one after the other: what they say of our keys, and the names that say nothing here.
pub(super) fn read_rabbitmq(paths: &[PathBuf]) -> Result<(Vec<Given>, Vec<String>), Mistakes> {
    let mut reading = Reading::default();
    reading.all_of(paths.iter().cloned(), Format::Rabbitmq);
    let ignored = std::mem::take(&mut reading.ignored);
    let given = reading.given.clone();
    reading.loaded()?;
    Ok((given, ignored))
}

#[derive(Default)]
struct Reading {
    given: Vec<Given>,
    mistakes: Vec<Mistake>,
    remarks: Vec<String>,
    files: Vec<PathBuf>,
    ignored: Vec<String>,
}

impl Reading {
    fn files(&mut self, sources: &Sources) {
        let variable = |name: &str| sources.environment.get(name).map(PathBuf::from);
        if let Some(path) = sources.file.clone().or_else(|| variable(CONFIG)) {
            match path.extension().and_then(|suffix| suffix.to_str()) {
                Some("conf") => self.rabbitmq(path, sources),
                Some("config") => self.refuse_erlang(&path),
                _ => self.main_and_more(path, Format::Toml),
            }
        } else if let Some(path) = variable(CONFIG_FILE) {
            match path.extension().and_then(|suffix| suffix.to_str()) {
                Some("config") => self.refuse_erlang(&path),
                Some("conf") => self.rabbitmq_by_variable(path, sources),
                // Older versions were told the name without its end.
                _ if path.exists() => self.rabbitmq_by_variable(path, sources),
                _ => self.rabbitmq_by_variable(path.with_added_extension("conf"), sources),
            }
        } else {
            let [ours, rabbitmq] = &sources.directories;
            let (ours, theirs) = (ours.join("leveret.toml"), rabbitmq.join("rabbitmq.conf"));
            if ours.exists() || !more_beside(&ours, Format::Toml).is_empty() {
                self.main_and_more(ours, Format::Toml);
            } else if theirs.exists()
                || !more_beside(&theirs, Format::Rabbitmq).is_empty()
                || sources.environment.get(CONFIG_FILES).is_some()
            {
                self.rabbitmq(theirs, sources);
            }
        }
    }

    fn refuse_erlang(&mut self, path: &Path) {
        let origin = Origin::File { path: path.to_owned(), line: 0 };
        let reason =
            "files of Erlang terms cannot be read: write its settings into a rabbitmq.conf or a leveret.toml";
        self.mistakes.push(Mistake::new(origin, None, reason));
    }

    /// A file that was named, or is there, and those beside it.
    fn main_and_more(&mut self, path: PathBuf, format: Format) {
        let more = more_beside(&path, format);
        // What is named must be there; where nothing is, `conf.d` may be all.
        let main = (path.exists() || more.is_empty()).then_some(path);
        self.all_of(main.into_iter().chain(more), format);
    }

    /// A file that RabbitMQ's variable names does not take the place of those in the `conf.d` of its directory.
    fn rabbitmq_by_variable(&mut self, path: PathBuf, sources: &Sources) {
        let [_, rabbitmq] = &sources.directories;
        let mut more = more_beside(&path, Format::Rabbitmq);
        if path.parent() != Some(rabbitmq) {
            more.splice(0..0, more_beside(&rabbitmq.join("rabbitmq.conf"), Format::Rabbitmq));
        }
        if !path.exists() && !more.is_empty() {
            self.remarks.push(format!("{CONFIG_FILE}: {} is not there", path.display()));
        }
        self.rabbitmq_and(path, more, sources);
    }

    fn rabbitmq(&mut self, path: PathBuf, sources: &Sources) {
        let more = more_beside(&path, Format::Rabbitmq);
        self.rabbitmq_and(path, more, sources);
    }

    fn rabbitmq_and(&mut self, path: PathBuf, more: Vec<PathBuf>, sources: &Sources) {
        let advanced = match sources.environment.get(ADVANCED_CONFIG_FILE) {
            Some(path) => PathBuf::from(path),
            None => path.with_file_name("advanced.config"),
        };
        if advanced.exists() {
            self.remarks
                .push(format!("{}: Erlang terms are not read, the file is ignored", advanced.display()));
        }
        let more = match sources.environment.get(CONFIG_FILES) {
            None => more,
            Some(pattern) => matching(Path::new(pattern)),
        };
        let main = (path.exists() || more.is_empty()).then_some(path);
        self.all_of(main.into_iter().chain(more), Format::Rabbitmq);
    }

    fn all_of(&mut self, paths: impl IntoIterator<Item = PathBuf>, format: Format) {
        let mut conf = RabbitmqConf::default();
        for path in paths {
            let text = match read(&path) {
                Ok(text) => text,
                Err(error) => {
                    let origin = Origin::File { path, line: 0 };
                    self.mistakes.push(Mistake::new(origin, None, format!("cannot be read: {error}")));
                    continue;
                }
            };
            match format {
                Format::Toml => {
                    let (given, mistakes) = toml_file::read(&path, &text);
                    self.given.extend(given);
                    self.mistakes.extend(mistakes);
                }
                Format::Rabbitmq => self.mistakes.extend(conf.add(&path, &text)),
            }
            self.files.push(path);
        }
        let (given, mistakes) = conf.given();
        self.given.extend(given);
        self.mistakes.extend(mistakes);
        self.ignored = conf.ignored().into_iter().map(str::to_owned).collect();
        if !self.ignored.is_empty() {
            self.remarks.push(format!(
                "keys of rabbitmq.conf that have no meaning here: {}",
                self.ignored.join(", ")
            ));
        }
        self.remarks.extend(conf.explained());
    }

    fn loaded(mut self) -> Result<Loaded, Mistakes> {
        let mut config = Config::default();
        let mut origins = vec![Origin::Default; keys().count()];
        let mut open_to_others: Vec<&Path> = Vec::new();
        for given in &self.given {
            match given.key.field.set(&mut config, &given.texts) {
                Ok(()) => {
                    if let Some(origin) = origins.get_mut(given.key.index()) {
                        origin.clone_from(&given.origin);
                    }
                }
                Err(reason) => {
                    self.mistakes.push(Mistake::new(given.origin.clone(), Some(given.key.name), reason));
                }
            }
            if let Origin::File { path, .. } = &given.origin
                && given.key.field.is_secret()
                && is_open_to_others(path)
                && !open_to_others.contains(&path.as_path())
            {
                open_to_others.push(path);
            }
        }
        let told = open_to_others.iter().map(|path| {
            format!(
                "{}: every user of this machine may read it, and there is a secret in it: chmod o-r",
                path.display()
            )
        });
        self.remarks.extend(told);
        if !config.log.is_written() {
            // RabbitMQ would write a file then.
            self.remarks.push(
                "nothing is logged: log.console.enabled is false, and log.file.path is not set".to_owned(),
            );
        }
        let loaded = Loaded { config, files: self.files, remarks: self.remarks, origins };
        if self.mistakes.is_empty() {
            for (key, reason) in loaded.config.refused() {
                self.mistakes.push(Mistake::new(loaded.origin(key).clone(), Some(key.name), reason));
            }
        }
        if self.mistakes.is_empty() { Ok(loaded) } else { Err(Mistakes(self.mistakes)) }
    }
}

fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_MAY_READ != 0)
}

/// The files in `conf.d` beside `path`, by their names.
fn more_beside(path: &Path, format: Format) -> Vec<PathBuf> {
    let pattern = path.with_file_name("conf.d").join(format!("*.{}", format.suffix()));
    matching(&pattern)
}

/// The files of a directory, or those that `DIRECTORY/*END` names.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let (folder, end) = match pattern.file_name().and_then(|name| name.to_str()?.strip_prefix('*')) {
        Some(end) => (pattern.parent().unwrap_or(pattern), end),
        None => (pattern, ""),
    };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end));
    let mut paths: Vec<PathBuf> = paths.filter(|path| named(path) && path.is_file()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
