//! The flag that names a virtual host.

use clap::Args;

/// The virtual host that a command is about.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct VhostFlag {
    /// The virtual host [default: the context's, else /; lists are of all of them]
    #[arg(long, short = 'p', global = true, value_name = "VHOST")]
    vhost: Option<String>,
}

impl VhostFlag {
    /// What is given.
    pub(in crate::cli) fn given(&self) -> Option<&str> {
        self.vhost.as_deref()
    }
}
