//! RabbitMQ's configuration as one of ours.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use super::Config;
use super::given::{Mistake, Mistakes};
use super::keys::keys;
use super::shown::{Shown, quote};
use super::sources::read_rabbitmq;

/// Reads files of RabbitMQ's format, the later ones over the earlier, and says in TOML what they say of keys that we have;
/// what they say otherwise is listed in comments.
///
/// # Errors
/// A file cannot be read, or says something that cannot be served.
pub fn convert(paths: &[PathBuf]) -> Result<String, Mistakes> {
    let (given, ignored) = read_rabbitmq(paths)?;
    let mut config = Config::default();
    let mut values = BTreeMap::new();
    for one in &given {
        let read = one.key.field.set(&mut config, &one.texts);
        read.map_err(|reason| Mistakes(vec![Mistake::new(one.origin.clone(), Some(one.key.name), reason)]))?;
        let value = match (one.key.shown(&config), one.texts.as_slice()) {
            (Shown::Hidden, [secret]) => quote(secret),
            (shown, _) => shown.quoted(),
        };
        values.insert(one.key.index(), value);
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let mut text = format!("# What {} says, for Leveret.\n", names.join(", "));
    let mut section = "";
    for key in keys() {
        let Some(value) = values.get(&key.index()) else { continue };
        if key.section() != section {
            section = key.section();
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "{} = {value}", key.last_name());
    }
    if !ignored.is_empty() {
        text.push_str("\n# What has no meaning here:\n");
        for name in ignored {
            let _ = writeln!(text, "#   {name}");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::store::temporary::Temporary;

    #[test]
    fn what_was_converted_is_the_same_configuration() {
        let folder = Temporary::new();
        let conf = folder.path().join("rabbitmq.conf");
        let toml = folder.path().join("leveret.toml");
        let text = "listeners.tcp.1 = 127.0.0.1:5673\nlisteners.tcp.2 = ::1:5673\nheartbeat = 30 # often\n\
                    vm_memory_high_watermark.relative = 1\nmax_message_size = 134217728\nlog.file.rotation.date = $D0\n\
                    log.connection.level = notice\ndefault_pass = x\ncluster_name = a \"b\"\nmqtt.listeners.tcp.default = 1883\n";
        std::fs::write(&conf, text).unwrap();
        let converted = convert(std::slice::from_ref(&conf)).unwrap();
        std::fs::write(&toml, &converted).unwrap();
        let load =
            |path: &PathBuf| Sources { file: Some(path.clone()), ..Sources::default() }.load().unwrap();
        assert_eq!(load(&conf).config, load(&toml).config);
        let (_, body) = converted.split_once('\n').unwrap();
        assert_eq!(
            body,
            "memory_limit = 1.0\ncluster_name = \"a \\\"b\\\"\"\nheartbeat = 30\nmax_message_size = \"128MiB\"\ndefault_pass = \"x\"\n\n\
             [listeners]\ntcp = [\"127.0.0.1:5673\", \"[::1]:5673\"]\n\n\
             [log.connection]\nlevel = \"warning\"\n\n[log.file.rotation]\ndate = \"$D0\"\n\n\
             # What has no meaning here:\n#   mqtt.listeners.tcp.default\n"
        );
    }

    #[test]
    fn what_cannot_be_served_is_not_converted() {
        let folder = Temporary::new();
        let conf = folder.path().join("rabbitmq.conf");
        for text in ["frame_max = 1", "heartbeat = often", "nonsense"] {
            std::fs::write(&conf, text).unwrap();
            assert_eq!(convert(std::slice::from_ref(&conf)).unwrap_err().0.len(), 1, "{text}");
        }
    }
}
