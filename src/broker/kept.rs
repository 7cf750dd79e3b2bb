//! What a broker keeps on the disk, from the start to the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StartError;
use crate::access::Access;
use crate::alarm::granted_memory;
use crate::config::{Config, Durability};
use crate::store::held_loads::LiveMemory;
use crate::store::journal::JournalFailure;
use crate::store::{Blocked, DataDirectory, DirectoryError, HostDisk, OpenError, Opening, Store};
use crate::vhost::VhostStore;
use crate::vhost::registry::Vhosts;
use crate::vhost::restore::Restored;

/// The data directory in use, and the store in it.
#[derive(Debug)]
pub(super) struct Kept {
    store: Store,
    /// Unlocked last.
    _directory: DataDirectory,
}

impl Kept {
    /// Opens the data directory and brings back all that is in it. Takes as long as that takes. `failed` is called when
    /// nothing can be made durable any more. There may be no user and no virtual host.
    pub(super) fn open(
        config: &Config,
        failed: impl Fn(&JournalFailure) + Send + Sync + 'static,
    ) -> Result<(Self, Vhosts, Access), StartError> {
        let directory = DataDirectory::open(&config.data_dir).map_err(StartError::Directory)?;
        let path = directory.path();
        tracing::info!("data directory: {}", path.display());
        if let Some(mode) = directory.open_to_others() {
            tracing::warn!(
                "data directory {} is open to every user of this machine (mode {mode:o}); \
                 its owner alone should be: chmod 700",
                path.display()
            );
        }
        warn_of_loss(config.durability);
        let (store, vhosts, access) =
            restore(config, path, failed).map_err(|error| refusal(path.to_owned(), error))?;
        Ok((Self { store, _directory: directory }, vhosts, access))
    }

    /// While this memory is short, backlogs are not read for clients that hold much already.
    pub(super) fn watch(&self, memory: Arc<dyn LiveMemory>) {
        self.store.watch(memory);
    }

    /// Why publishers of what is kept are not read, if they are not.
    pub(super) fn blocked(&self) -> Option<Blocked> {
        self.store.handle().blocked()
    }

    /// Ends in order, once no connection is left, so that the next start has nothing to put right; or, when the disk
    /// failed, so that it knows that it has.
    pub(super) fn close(self, is_in_order: bool) {
        if is_in_order {
            self.store.close();
        } else {
            self.store.abandon();
        }
        let counters = self.store.journal().counters();
        let (commits, bytes) = (counters.syncs(), counters.bytes_written());
        let mean = counters.sync_time().as_micros().checked_div(commits.into()).unwrap_or_default();
        tracing::info!("journal: {commits} group commits, {bytes} bytes, {mean} us an fdatasync");
    }
}

fn warn_of_loss(durability: Durability) {
    match durability {
        Durability::Fsync => {}
        Durability::Os => tracing::warn!(
            "durability 'os': messages are confirmed before they are synced; a loss of power takes the last seconds"
        ),
        Durability::Memory => tracing::warn!(
            "durability 'memory': persistent messages are kept in memory only; a restart forgets them"
        ),
    }
}

fn restore(
    config: &Config,
    path: &Path,
    failed: impl Fn(&JournalFailure) + Send + Sync + 'static,
) -> Result<(Store, Vhosts, Access), OpenError> {
    let backlog_bytes = config.backlog_memory_bytes(granted_memory(config.total_memory));
    let mut opening = Opening::open(path, Arc::new(HostDisk::new(path)), backlog_bytes)?;
    let definitions = opening.definitions()?;
    let handle = opening.handle();
    let mut restored =
        Restored::new(definitions, config.durability, &handle, &|id| opening.has_messages_of(id));
    if !restored.is_empty() {
        tracing::info!("{restored}");
    }
    opening.refill(restored.queues())?;
    let store = opening.finish(failed)?;
    let vhost_store = VhostStore {
        journal: Arc::clone(store.journal()),
        definitions: Arc::clone(store.definitions()),
        handle,
    };
    let parameters = restored.global_parameters(&vhost_store);
    let vhosts = Vhosts::kept_in(parameters, vhost_store.clone(), config.durability);
    vhosts.set_queue_max(config.access.cluster_queue_limit);
    vhosts.set_exchange_max(config.access.cluster_exchange_limit);
    vhosts.set_settings(config.vhosts.clone());
    let definitions = Arc::clone(&vhost_store.definitions);
    let access = Access::restored(config.access.clone(), restored.take_access(), definitions);
    for vhost in restored.kept_in(&vhost_store) {
        vhosts.insert(vhost);
    }
    Ok((store, vhosts, access))
}

/// What the disk refuses is told as of the data directory, with the remedy.
fn refusal(path: PathBuf, error: OpenError) -> StartError {
    match error.into_io() {
        Ok(error) => StartError::Directory(DirectoryError::not_writable(&path, error)),
        Err(error) => StartError::Store { path, error },
    }
}
