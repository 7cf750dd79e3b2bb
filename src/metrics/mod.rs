//! What monitoring asks, without a password: whether the broker lives, whether it is ready, and its metrics.
//!
//! It is served from the moment that the broker begins, also while it brings back what it has kept.

mod health;
mod page;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::routing::get;

use crate::management::Site;

/// The broker, once it is there: not before it has brought back all that it has kept.
#[derive(Clone, Debug, Default)]
pub struct Awaited(Arc<OnceLock<Arc<Site>>>);

impl Awaited {
    /// It is there.
    pub fn fulfil(&self, site: Arc<Site>) {
        // There is one broker in a process, which is there once.
        let _ = self.0.set(site);
    }

    /// The broker, if it is there.
    pub fn site(&self) -> Option<&Arc<Site>> {
        self.0.get()
    }
}

/// All that is served; the metrics are at this path.
pub fn router(awaited: &Awaited, path: &str) -> Router {
    let path = path.to_owned();
    let ready = awaited.clone();
    Router::new()
        .route("/", get(async move || page::page(&path)))
        .route("/health/live", get(async || health::live()))
        .route("/health/ready", get(async move || health::ready(&ready)))
}
