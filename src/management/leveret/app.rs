//! Whether clients are served: RabbitMQ's `stop_app` and `start_app`. This interface goes on meanwhile.

use axum::http::StatusCode;
use serde_json::json;

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;

/// `GET /api/leveret/app`
pub(in super::super) fn show(call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "running": call.environment().app.is_running() })))
}

/// `POST /api/leveret/app/stop`: answers when no client is served any more.
pub(in super::super) fn stop(call: &Call) -> Result<Answer, Failure> {
    done(call.environment().stop_app())
}

/// `POST /api/leveret/app/start`: answers when clients are served again.
pub(in super::super) fn start(call: &Call) -> Result<Answer, Failure> {
    done(call.environment().start_app())
}

fn done(changed: Result<(), String>) -> Result<Answer, Failure> {
    match changed {
        Ok(()) => Ok(Answer::NoContent),
        Err(reason) => Err(Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            body: json!({ "error": "service_unavailable", "reason": reason }),
            challenges: false,
        }),
    }
}
