//! What of RabbitMQ's is found where a broker takes its place: plugins that are to be enabled, and its data.

use std::fs;
use std::path::{Path, PathBuf};

use super::ctl::plugins_that_are_not_there;
use crate::config::{Loaded, Sources};

/// Files that a node of RabbitMQ keeps at the top of its data.
const OF_A_NODE: [&str; 4] = ["schema.DAT", "cluster_nodes.config", "node-type.txt", "coordination"];

/// What an operator should know of it.
pub(super) fn remarks(sources: &Sources, loaded: &Loaded) -> Vec<String> {
    let data = if loaded.config.in_memory { None } else { data_near(&loaded.config.data_dir) };
    plugins(sources).into_iter().chain(data).collect()
}

/// Plugins that do what nothing here does.
fn plugins(sources: &Sources) -> Option<String> {
    let (names, file) = sources.environment.plugins();
    let [_, rabbitmq] = &sources.directories;
    let file = file.unwrap_or_else(|| rabbitmq.join("enabled_plugins"));
    let text = fs::read_to_string(&file).unwrap_or_default();
    // A list of Erlang's, with its comments: `[rabbitmq_management, rabbitmq_mqtt].`
    let listed = text.lines().filter_map(|line| line.split('%').next());
    let listed = listed.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let missing = plugins_that_are_not_there(listed.chain(names));
    (!missing.is_empty()).then(|| {
        format!("plugins that are to be enabled and are not there, nor what they do: {}", missing.join(", "))
    })
}

/// Data of RabbitMQ's where ours is about to be begun, or around it.
fn data_near(ours: &Path) -> Option<String> {
    let around = ours.parent()?;
    if ours.exists() {
        return None;
    }
    let nodes = fs::read_dir(around).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let found: PathBuf = [around.to_owned()].into_iter().chain(nodes).find(|path| is_node(path))?;
    Some(format!(
        "{}: a RabbitMQ has kept its data here; it is left alone, and nothing of it is read: this broker begins empty in {}. What \
         'rabbitmqctl export_definitions' of that RabbitMQ writes, load_definitions reads",
        found.display(),
        ours.display()
    ))
}

fn is_node(path: &Path) -> bool {
    OF_A_NODE.iter().any(|name| path.join(name).exists())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::Environment;

    fn sources(folder: &Path, variables: &[(&str, &str)]) -> Sources {
        let said = |(name, value): &(&str, &str)| ((*name).to_owned(), OsString::from(*value));
        let environment: Environment = variables.iter().map(said).collect();
        let directories = [folder.join("leveret"), folder.join("rabbitmq")];
        Sources { environment, directories, ..Sources::default() }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("leveret-beside-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("rabbitmq")).unwrap();
        folder
    }

    #[test]
    fn plugins_are_told_that_do_what_nothing_here_does() {
        let folder = folder("plugins");
        assert_eq!(plugins(&sources(&folder, &[])), None);
        fs::write(
            folder.join("rabbitmq/enabled_plugins"),
            "% rabbitmq_stomp\n[rabbitmq_management,\nrabbitmq_mqtt].",
        )
        .unwrap();
        let told = |variables: &[(&str, &str)]| plugins(&sources(&folder, variables));
        let told = |variables| told(variables).unwrap().split(": ").last().unwrap().to_owned();
        assert_eq!(told(&[]), "rabbitmq_mqtt");
        assert_eq!(
            told(&[("RABBITMQ_ENABLED_PLUGINS", "rabbitmq_shovel,rabbitmq_prometheus")]),
            "rabbitmq_mqtt, rabbitmq_shovel"
        );
        assert_eq!(
            told(&[("RABBITMQ_ENABLED_PLUGINS_FILE", "/nowhere"), ("RABBITMQ_PLUGINS", "a, rabbitmq_top")]),
            "a, rabbitmq_top"
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn data_of_rabbitmq_is_told_of_until_there_is_ours() {
        let folder = folder("data");
        let ours = folder.join("leveret");
        assert_eq!(data_near(&ours), None);
        let node = folder.join("rabbit@host");
        fs::create_dir(&node).unwrap();
        assert_eq!(data_near(&ours), None, "a folder alone is nothing");
        fs::write(node.join("cluster_nodes.config"), "").unwrap();
        assert!(data_near(&ours).unwrap().starts_with(node.to_str().unwrap()));
        let inside = data_near(&node.join("leveret")).unwrap();
        assert!(inside.starts_with(node.to_str().unwrap()), "{inside}");
        fs::create_dir(&ours).unwrap();
        assert_eq!(data_near(&ours), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
