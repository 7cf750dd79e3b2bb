//! Reading the configuration again in a running broker.

use std::io;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{Broker, tls};
use crate::alarm::SetBy;
use crate::config::{Change, Changes, Config, LogCategory, LogLevel, Sources};
use crate::log;
use crate::net::max_connections;

impl Broker {
    /// Takes over what can be changed while it runs: all of it or, if that fails, nothing. Tells what that was, and what
    /// needs a restart.
    ///
    /// # Errors
    /// A log file cannot be opened, or what TLS needs cannot be read.
    pub fn reload(&self, read: &Config) -> io::Result<Changes> {
        let environment = &self.environment;
        let (config, changes) = environment.config().reloaded(read);
        let spoken = tls::Spoken {
            amqp: environment.tls().is_some(),
            management: self.http_tls.management.is_some(),
            metrics: self.http_tls.metrics.is_some(),
        };
        let tls = tls::read(&config, spoken).map_err(io::Error::other)?;
        log::apply(&config.log)?;
        environment.alarms.set_memory_limit(config.memory_limit, SetBy::Configuration);
        environment.alarms.set_disk_limit(config.disk_free_limit, SetBy::Configuration);
        environment.access.set_settings(config.access.clone());
        environment.vhosts.set_queue_max(config.access.cluster_queue_limit);
        environment.vhosts.set_exchange_max(config.access.cluster_exchange_limit);
        environment.vhosts.set_settings(config.vhosts.clone());
        self.admission.set_max(config.max_connections.unwrap_or_else(max_connections));
        if let Some(tls) = tls.amqp {
            environment.set_tls(tls);
        }
        self.http_tls.set(tls.management, tls.metrics);
        environment.set_config(Arc::new(config));
        Ok(changes)
    }

    /// The level of a category of the log.
    pub fn log_level(&self, category: LogCategory) -> LogLevel {
        log::level(category)
    }

    /// Changes it until the configuration is read again.
    pub fn set_log_level(&self, category: LogCategory, level: LogLevel) {
        tracing::info!("log level of category '{}' set to '{level}'", category.as_str());
        log::set_level(category, level);
    }

    /// Reads everything again, and says in the log what came of it.
    pub(super) async fn reload_from(&self, sources: &Sources) {
        let sources = sources.clone();
        let loaded = match spawn_blocking(move || sources.load()).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(mistakes)) => {
                for mistake in &mistakes.0 {
                    tracing::error!("configuration: {mistake}");
                }
                tracing::error!("the configuration was not read again: everything stays as it was");
                return;
            }
            // A panic there was logged.
            Err(_) => return,
        };
        for remark in &loaded.remarks {
            tracing::warn!("configuration: {remark}");
        }
        match self.reload(&loaded.config) {
            Ok(changes) => tell(&changes),
            Err(error) => tracing::error!("{error}: everything stays as it was"),
        }
    }
}

fn tell(changes: &Changes) {
    let list = |changes: &[Change]| changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match changes.now.as_slice() {
        [] => {
            tracing::info!("configuration read again: nothing has changed that can be changed while running");
        }
        now => tracing::info!("configuration read again; changed: {}", list(now)),
    }
    if !changes.after_restart.is_empty() {
        tracing::warn!("changed, and without effect until a restart: {}", list(&changes.after_restart));
    }
}
