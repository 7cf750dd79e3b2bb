//! What this machine and this node are called.

use std::sync::OnceLock;

/// What the machine calls itself.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

static NODE: OnceLock<String> = OnceLock::new();

/// Says what this node is called: the host is added where no host is named. A process is one node, and keeps its first name.
pub fn name_node(name: &str) {
    let name = if name.contains('@') { name.to_owned() } else { format!("{name}@{}", host_name()) };
    let _ = NODE.set(name);
}

/// A name for this node, as RabbitMQ forms it.
pub fn node_name() -> &'static str {
    NODE.get_or_init(|| format!("leveret@{}", host_name()))
}
