//! Whether clients are served: RabbitMQ's `stop_app` and `start_app`. This interface goes on meanwhile.

use axum::http::StatusCode;
use serde_json::json;

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::failure::Failure;
use crate::connection::app::StillRunning;
use crate::definitions::First;

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

/// `POST /api/leveret/app/reset`: deletes everything, and makes what a broker has that starts for the first time.
/// RabbitMQ has this in its command line only: its `DELETE /api/reset` means the statistics.
pub(in super::super) fn reset(call: &Call) -> Result<Answer, Failure> {
    let environment = call.environment();
    // Before anything is gone.
    let first = First::read(&environment.config())
        .map_err(|error| Failure::precondition_failed(error.to_string()))?;
    match environment.reset_app(|environment| first.make(environment)) {
        Ok(made) => {
            call.site.statistics.reset();
            done(made.map_err(|error| error.to_string()))
        }
        Err(StillRunning) => Err(Failure::bad_request(STILL_RUNNING)),
    }
}

/// As RabbitMQ says it.
const STILL_RUNNING: &str = "this command requires the 'rabbit' app to be stopped on the target node. Stop it with \
                             'rabbitmqctl stop_app'";

fn done(changed: Result<(), String>) -> Result<Answer, Failure> {
    match changed {
        Ok(()) => Ok(Answer::NoContent),
        Err(reason) => {
            let body = json!({ "error": "service_unavailable", "reason": reason });
            Err(Failure::with_body(StatusCode::SERVICE_UNAVAILABLE, body))
        }
    }
}
