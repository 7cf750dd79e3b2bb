//! The annotated configuration file: every key with its default and what it means.

use std::fmt::Write;

use super::Config;
use super::key::{Key, Reload};
use super::keys::keys;
use super::shown::quote;

/// Lines of comments are no longer.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The configuration of Leveret, with every key and its default: what is commented out is what holds anyway.
#
# It is read from the file that --config or LEVERET_CONFIG names, or from /etc/leveret/leveret.toml, and then from the
# files of conf.d/*.toml beside it, in the order of their names; what a later one says holds. The environment goes before
# the files, flags go before the environment. A file whose name ends with .conf is read as RabbitMQ's.
#
# leveret config check    whether a configuration can be served
# leveret config show     what holds, and where each value comes from
# leveret config convert  RabbitMQ's configuration as one like this
#
# Sizes: 16777216, 16MiB (1024 * 1024), 16MB (1000 * 1000). Times: 10s, 500ms, 2m; a bare number is seconds.
# SIGHUP has everything read again; what a key does not say is changed by it needs a restart.
";

/// The file.
pub fn example() -> String {
    let default = Config::default();
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in keys() {
        if key.section() != section {
            section = key.section();
            let _ = write!(text, "\n[{section}]\n");
        }
        text.push('\n');
        for line in notes(key) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "#{} = {}", key.last_name(), value(key, &default));
    }
    text
}

/// Its default, or how a value looks.
fn value(key: &Key, default: &Config) -> String {
    let Some(example) = key.example else { return key.shown(default).quoted() };
    let mut config = Config::default();
    match key.field.set(&mut config, &[example.to_owned()]) {
        Ok(()) if key.field.is_secret() => quote(example),
        Ok(()) => key.shown(&config).quoted(),
        Err(reason) => reason,
    }
}

fn notes(key: &Key) -> Vec<String> {
    let mut text = key.doc.to_owned();
    if !key.field.choices().is_empty() {
        let _ = write!(text, " One of: {}.", key.field.choices().join(", "));
    }
    if let Some(unset) = key.unset {
        let _ = write!(text, " Not set: {unset}.");
    }
    text.push_str(match key.reload {
        Reload::AtOnce => " SIGHUP changes it.",
        Reload::NewConnections => " SIGHUP changes it for new connections.",
        Reload::Restart => "",
    });
    let mut lines = wrapped(&text);
    let mut names = if key.field.is_secret() {
        format!("{0}, {0}_FILE", key.variable())
    } else {
        format!("{}, --{}", key.variable(), key.flag())
    };
    if !key.rabbitmq.is_empty() {
        let aliases: Vec<&str> = key.rabbitmq.iter().map(|alias| alias.name).collect();
        let _ = write!(names, "; in rabbitmq.conf: {}", aliases.join(", "));
    }
    lines.extend(wrapped(&names));
    lines
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::given::Given;
    use std::path::Path;

    fn read(text: &str) -> Vec<Given> {
        let (given, mistakes) = crate::config::toml_file::read(Path::new("example"), text);
        assert_eq!(mistakes, []);
        given
    }

    #[test]
    fn the_file_that_is_packaged_is_this_one() {
        let packaged = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/leveret.toml");
        let packaged = std::fs::read_to_string(packaged).unwrap();
        assert!(packaged == example(), "run: leveret config example > packaging/leveret.toml");
    }

    #[test]
    fn it_says_nothing_and_with_its_keys_said_it_says_the_defaults() {
        assert!(read(&example()).is_empty());
        let said: String = example()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && !rest.is_empty() => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let given = read(&said);
        assert_eq!(given.len(), keys().count());
        for one in given {
            let mut config = Config::default();
            one.key.field.set(&mut config, &one.texts).unwrap();
            assert_eq!(
                one.key.example.is_none(),
                one.key.field.is_same(&config, &Config::default()),
                "{}",
                one.key.name
            );
        }
    }
}
