//! What is imported when the broker starts.

use std::path::PathBuf;

/// Settings of definitions, with RabbitMQ's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionsConfig {
    /// A file, or a directory of files (`load_definitions`).
    pub load: Option<PathBuf>,
    /// Where they come from (`definitions.import_backend`): there are only files.
    pub import_backend: Option<String>,
    /// Not those that were imported last (`definitions.skip_if_unchanged`).
    pub skip_if_unchanged: bool,
}

impl DefinitionsConfig {
    /// Whether definitions can be had from where they are to come.
    ///
    /// # Errors
    /// They cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        const LOCAL: [&str; 3] =
            ["local_filesystem", "local", "rabbitmq_definitions_import_local_filesystem"];
        match self.import_backend.as_deref() {
            Some(backend) if !LOCAL.contains(&backend) => {
                let backend = backend.escape_debug();
                Err(format!("definitions are imported from local_filesystem, and from no '{backend}'"))
            }
            _ => Ok(()),
        }
    }
}
