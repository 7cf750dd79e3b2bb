//! What monitoring asks: whether the broker lives, whether it is ready, and its metrics, as Prometheus reads them: the families
//! that RabbitMQ has, with its names, types, texts and labels, and our own.
//!
//! ```text
//! endpoint    from a request to an answer
//! body        an answer made slice by slice, compressed for who can read that
//! wanted      what a request asks for: which endpoint, families, virtual hosts, queues
//! scrape      wanted -> sections -> slices of text
//! section     a part of a body that is written piece by piece
//! family      a row of a table: name, type, help, where the value is from
//! text        the format
//! node queues channels connections exchanges global identity memory own      the tables
//! ```
//!
//! It is served from the moment that the broker begins, also while it brings back what it has kept; metrics begin with the
//! broker. An answer of any length is made in slices, each when the one before it is on its way. Queues are looked at one at a
//! time, once an answer, so that all that is told of one is of one moment; what they hold together is known without that.

mod attempts;
mod body;
mod channels;
mod connections;
mod endpoint;
mod exchanges;
mod family;
mod global;
mod health;
mod identity;
mod memory;
mod node;
mod own;
mod page;
mod queues;
mod scrape;
mod scrapes;
mod section;
mod text;
mod totals;
mod wanted;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::routing::get;

use crate::management::Site;
use endpoint::Metrics;

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
    let metrics = Arc::new(Metrics::new(awaited.clone(), path));
    let path = path.to_owned();
    let ready = awaited.clone();
    Router::new()
        .route("/", get(async move || page::page(&path)))
        .route("/health/live", get(async || health::live()))
        .route("/health/ready", get(async move || health::ready(&ready)))
        .fallback(move |request: Request| {
            let metrics = Arc::clone(&metrics);
            async move { metrics.answer(request).await }
        })
}
