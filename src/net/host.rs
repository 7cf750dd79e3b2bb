//! What this machine and this node are called.

use std::sync::LazyLock;

/// What the machine calls itself.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// A name for this node, as RabbitMQ forms it.
pub fn node_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("leveret@{}", host_name()));
    &NAME
}
