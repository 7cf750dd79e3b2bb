//! The numbers of a broker are sampled, so that it can be told how fast things happen.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::management::Site;
use crate::management::statistics::{NodeSample, Sampler};
use crate::time::Time;

/// Takes a sample each so often, on a thread for what may take long.
pub(super) fn sample(site: &Arc<Site>, tasks: &mut JoinSet<()>) {
    let site = Arc::clone(site);
    tasks.spawn(async move {
        let mut sampler = Sampler::default();
        loop {
            let config = site.environment.config();
            tokio::time::sleep(config.statistics.interval).await;
            if config.statistics.collector_disabled {
                continue;
            }
            let site = Arc::clone(&site);
            let taken = tokio::task::spawn_blocking(move || {
                let node = NodeSample::taken(&site.environment);
                sampler.tick(&site.statistics, &site.environment, Time::now(), node);
                sampler
            });
            sampler = match taken.await {
                Ok(sampler) => sampler,
                Err(failed) => {
                    tracing::error!("a sample of what is counted failed, see the panic above: {failed}");
                    Sampler::default()
                }
            };
        }
    });
}
