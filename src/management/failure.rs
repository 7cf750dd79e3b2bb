//! Why something is not done, and how the asker is told: RabbitMQ's status codes and bodies.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::channel::exception::Exception;
use leveret_protocol::reply_code::ReplyCode;

/// A refusal, as it is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// Whether the asker is invited to say who it is.
    pub(super) challenges: bool,
    /// How late it is to be answered.
    pub(super) late: Duration,
}

impl Failure {
    fn new(status: StatusCode, error: &str, reason: impl Into<Value>) -> Self {
        let body = json!({ "error": error, "reason": reason.into() });
        Self::with_body(status, body)
    }

    /// A refusal that says this.
    pub(super) fn with_body(status: StatusCode, body: Value) -> Self {
        Self { status, body, challenges: false, late: Duration::ZERO }
    }

    /// 400: what was sent cannot be used.
    pub(super) fn bad_request(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", reason)
    }

    /// 400 with a name of its own.
    pub(super) fn bad_parameter(error: &str, reason: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, reason)
    }

    /// 400: these keys are not in the body.
    pub(super) fn missing_keys(keys: &[&str]) -> Self {
        let keys: Vec<String> = keys.iter().map(|key| format!("{{key_missing,{key}}}")).collect();
        Self::bad_request(format!("[{}]", keys.join(",")))
    }

    /// 401: nobody has said who asks, or not truly.
    pub(super) fn not_authenticated(reason: &str) -> Self {
        Self { challenges: true, ..Self::new(StatusCode::UNAUTHORIZED, "not_authorized", reason) }
    }

    /// The same so much later.
    pub(super) fn login_refused(late: Duration) -> Self {
        Self { late, ..Self::not_authenticated("Not_Authorized") }
    }

    /// 401: whoever asks may not do that.
    pub(super) fn not_authorised(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authorised", reason)
    }

    /// 403: a browser asks, and not for a page of ours.
    pub(super) fn forbidden(reason: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", reason)
    }

    /// 404: there is no such thing.
    pub(super) fn no_object() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// 404: there is no such thing any more, and why.
    pub(super) fn gone(reason: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Object Not Found", reason)
    }

    /// 404: something that the request needs is not there.
    pub(super) fn not_found(reason: impl Into<Value>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", reason)
    }

    /// 408: the body took too long.
    pub(super) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The request body did not come in time")
    }

    /// 412: it is protected from that.
    pub(super) fn precondition_failed(reason: String) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", reason)
    }

    /// 429: there is too much of that at present.
    pub(super) fn too_many(reason: String) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", reason)
    }

    /// 500: we failed, and the log says more.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The broker failed; see its log")
    }

    /// 503: the change cannot be made durable.
    pub(super) fn disk_failed() -> Self {
        let reason = "The disk failed, and what was asked for may be lost";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", reason)
    }

    /// 503 of a health check, which says what is wrong.
    pub(super) fn unhealthy(reason: &str, further: Value) -> Self {
        let mut body = json!({ "status": "failed", "reason": reason });
        if let (Some(body), Value::Object(further)) = (body.as_object_mut(), further) {
            body.extend(further);
        }
        Self::with_body(StatusCode::SERVICE_UNAVAILABLE, body)
    }

    /// What a method of AMQP was refused for, where RabbitMQ tells the explanation alone.
    pub(super) fn of_method(exception: &Exception) -> Self {
        let explanation = explanation(exception);
        match exception.code {
            ReplyCode::NotFound => Self::not_found(explanation.into_owned()),
            ReplyCode::AccessRefused | ReplyCode::NotAllowed => {
                Self::not_authorised(explanation.into_owned())
            }
            _ => Self::bad_request(explanation.into_owned()),
        }
    }

    /// The same where it tells the whole text, as it does of what it asked for on a channel.
    pub(super) fn of_channel(exception: &Exception) -> Self {
        let text = exception.text.clone();
        match exception.code {
            ReplyCode::NotFound => Self::not_found(text),
            ReplyCode::AccessRefused => Self::not_authorised(text),
            code => Self::bad_request(format!("{} {text}", code.code())),
        }
    }

    /// The same for a publish, whose refusals are all bad requests.
    pub(super) fn of_publish(exception: &Exception) -> Self {
        match exception.code {
            ReplyCode::AccessRefused => Self::not_authorised(exception.text.clone()),
            code => Self::bad_request(format!("{} {}", code.code(), exception.text)),
        }
    }
}

/// The text without the name of the code.
fn explanation(exception: &Exception) -> Cow<'_, str> {
    let name = exception.code.name();
    match exception.text.strip_prefix(name).and_then(|rest| rest.strip_prefix(" - ")) {
        Some(rest) => Cow::Borrowed(rest),
        None => Cow::Borrowed(&exception.text),
    }
}
