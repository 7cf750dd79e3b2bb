//! What the configuration says of virtual hosts, as all of a broker see it at present.

use std::sync::{Arc, PoisonError, RwLock};

use leveret_protocol::method::queue::Declare;
use leveret_protocol::table::{TableBuf, TableBuilder};

use super::Vhost;
use crate::config::VhostSettings;
use crate::queue::arguments::QUEUE_TYPE;

/// Shared by the virtual hosts of a broker.
#[derive(Debug, Default)]
pub(super) struct Settings(RwLock<Arc<VhostSettings>>);

impl Settings {
    /// What it says.
    pub(super) fn get(&self) -> Arc<VhostSettings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// It says something else from now on: follow with [`Vhost::put_settings_in_force`].
    pub(super) fn set(&self, settings: VhostSettings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

impl Vhost {
    /// What the configuration says for those that say nothing themselves.
    pub fn settings(&self) -> Arc<VhostSettings> {
        self.settings.get()
    }

    /// The arguments with the type that queues have here that are declared without one, where it can be theirs.
    pub fn with_default_type(&self, declare: &Declare<'_>) -> Option<TableBuf> {
        let (metadata, settings) = (self.metadata(), self.settings());
        let queue_type = metadata.default_queue_type.as_ref().or(settings.default_queue_type.as_ref())?;
        let can_be =
            declare.durable && !declare.exclusive && !declare.auto_delete && !declare.queue.is_empty();
        if !can_be || declare.arguments.get(QUEUE_TYPE).is_some() {
            return None;
        }
        Some(TableBuilder::new().entries(declare.arguments).string(QUEUE_TYPE, queue_type).finish())
    }

    /// Queues that were declared before the settings changed get what they say.
    pub(super) fn put_settings_in_force(&self) {
        let _alone = self.changing();
        let queues = {
            // What is being declared with the old ones is among the queues once this is ours.
            let _topology = self.topology();
            self.queues.all()
        };
        let timeout = self.settings().consumer_timeout;
        for queue in queues {
            queue.set_default_timeout(timeout);
        }
    }
}
