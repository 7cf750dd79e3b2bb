//! What TLS is spoken with at present, for all that speak it in one place.

use std::sync::{Arc, PoisonError, RwLock};

use super::TlsServer;

/// A place for what a reload replaces.
#[derive(Clone, Debug)]
pub struct CurrentTls(Arc<RwLock<Arc<TlsServer>>>);

impl CurrentTls {
    /// With this to begin with.
    pub fn new(tls: TlsServer) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(tls))))
    }

    /// What new connections begin with.
    pub fn get(&self) -> Arc<TlsServer> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// It was read again.
    pub fn set(&self, tls: TlsServer) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tls);
    }
}
