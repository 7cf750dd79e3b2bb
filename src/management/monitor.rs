//! Who may see what there is to be monitored, where a password is asked for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Response};
use tokio::task::spawn_blocking;

use super::endpoint::Needs;
use super::failure::Failure;
use super::login::{Unknown, log_in};
use super::permit::permit;
use super::server::{By, Comer};
use super::site::Site;

/// Refuses whoever may not monitor the broker: 401, late where a login failed.
pub(crate) async fn monitor(
    site: &Arc<Site>,
    head: &HeaderMap,
    comer: Option<Comer>,
) -> Result<(), Response<Body>> {
    let comer = comer.ok_or_else(|| Failure::internal().into_response())?;
    if comer.by == By::SocketOfOperator && !head.contains_key(AUTHORIZATION) {
        return Ok(());
    }
    let (site, head) = (Arc::clone(site), head.clone());
    let checked = spawn_blocking(move || {
        let user = log_in(&site.environment, &head, comer.address)?;
        Ok(permit(&site.environment, &user, Needs::Monitoring, None, None))
    });
    let refused = match checked.await {
        Ok(Ok(Ok(()))) => return Ok(()),
        Ok(Ok(Err(refused))) => refused,
        Ok(Err(Unknown::NoCredentials)) => Failure::not_authenticated("Not_Authorized"),
        Ok(Err(Unknown::Refused(late))) => {
            tokio::time::sleep(late).await;
            Failure::not_authenticated("Not_Authorized")
        }
        // A panic there was logged.
        Err(_) => Failure::internal(),
    };
    Err(refused.into_response())
}

/// 404.
pub(crate) fn no_object() -> Response<Body> {
    Failure::no_object().into_response()
}
