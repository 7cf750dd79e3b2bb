//! Whether the broker lives, and whether it is ready.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::Awaited;
use crate::management::json;

/// `GET /health/live`: whoever is answered knows that the process runs. A broker that takes long to bring back what it has
/// kept lives.
pub(super) fn live() -> Response<Body> {
    ok()
}

/// `GET /health/ready`: whether clients are served.
pub(super) fn ready(awaited: &Awaited) -> Response<Body> {
    match awaited.site() {
        None => failed("The broker brings back what it has kept"),
        Some(site) if site.environment.stopping.is_cancelled() => failed("The broker is stopping"),
        Some(_) => ok(),
    }
}

fn ok() -> Response<Body> {
    json(StatusCode::OK, &json!({ "status": "ok" }))
}

fn failed(reason: &str) -> Response<Body> {
    json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "failed", "reason": reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_still_to_come_lives_and_is_not_ready() {
        assert_eq!(live().status(), StatusCode::OK);
        assert_eq!(ready(&Awaited::default()).status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
