//! Talks to a broker's HTTP API, one request after the other on one connection.
//!
//! Knows nothing of what is asked: paths and bodies come from above, and whatever is answered goes back there.

mod answer;
mod connect;
mod endpoint;
mod path;
mod trust;

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::exit;
use super::failure::Failure;
use crate::auth::Secret;

pub(in crate::cli) use answer::Answer;
pub(in crate::cli) use endpoint::Endpoint;
pub(in crate::cli) use path::{path, query};

/// Who asks: it is there whatever else is not.
const WHOAMI: &str = "/api/whoami";
/// The longest answer that is held: 100,000 queues with all that is told of them are 200 MB.
const ANSWER_MAX_BYTES: usize = 1024 * 1024 * 1024;
/// How long an answer may take unless another time is given. Definitions of many queues take seconds.
pub(in crate::cli) const ANSWER_TIME: Duration = Duration::from_mins(2);

/// As whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Login {
    pub(in crate::cli) user: String,
    pub(in crate::cli) password: Secret,
}

/// A broker, and who asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Target {
    /// Where the broker may be; the first of these where somebody listens is asked.
    pub(in crate::cli) endpoints: Vec<Endpoint>,
    /// As whom; as whoever runs this process where the broker can see that.
    pub(in crate::cli) login: Option<Login>,
    /// Whose certificates are trusted, PEM; those of the system unless that is said.
    pub(in crate::cli) ca_file: Option<std::path::PathBuf>,
    /// How long an answer may take.
    pub(in crate::cli) answer_time: Duration,
}

/// What is asked.
#[derive(Debug)]
pub(in crate::cli) struct Request {
    method: &'static str,
    path: String,
    body: Option<Vec<u8>>,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    /// Reads what is at a path, which is quoted already: see [`path()`].
    pub(in crate::cli) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub(in crate::cli) fn put(path: impl Into<String>, body: &Value) -> Self {
        Self { body: Some(body.to_string().into_bytes()), ..Self::new("PUT", path) }
    }

    pub(in crate::cli) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { body: Some(body.to_string().into_bytes()), ..Self::new("POST", path) }
    }

    pub(in crate::cli) fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path)
    }

    /// With any method that HTTP has.
    pub(in crate::cli) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, headers: Vec::new() }
    }

    /// With these octets as its body.
    pub(in crate::cli) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(in crate::cli) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Its method and path, for people.
    pub(in crate::cli) fn shown(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it makes something, so that what is not there is something else.
    pub(in crate::cli) fn makes(&self) -> bool {
        matches!(self.method, "PUT" | "POST")
    }

    /// The same without what is asked for of it.
    fn place(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }
}

/// A connection to a broker, made when it is first needed and made again when it is gone.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    runtime: Runtime,
    target: Target,
    connection: Option<(SendRequest<Body>, Endpoint)>,
}

impl Client {
    /// Does not connect yet.
    pub(in crate::cli) fn new(target: Target) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Failure::new(exit::UNAVAILABLE, "no runtime can be started").because(error.to_string())
        })?;
        Ok(Self { runtime, target, connection: None })
    }

    /// Where the broker was found, or where it is looked for.
    pub(in crate::cli) fn endpoint(&self) -> Option<&Endpoint> {
        self.connection.as_ref().map(|(_, endpoint)| endpoint).or(self.target.endpoints.first())
    }

    /// The broker that is meant.
    pub(in crate::cli) fn target(&self) -> &Target {
        &self.target
    }

    /// As whom it asks, if it says so.
    pub(in crate::cli) fn user(&self) -> Option<&str> {
        self.target.login.as_ref().map(|login| login.user.as_str())
    }

    /// What is at a path.
    pub(in crate::cli) fn get(&mut self, path: &str) -> Result<Value, Failure> {
        self.ask(&Request::get(path))?.json()
    }

    /// Has something done or read; what the broker refuses is a failure.
    pub(in crate::cli) fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        let answer = self.send(request)?;
        if answer.is_success() {
            return Ok(answer);
        }
        Err(self.refusal(&answer, request))
    }

    /// What an answer that is no success means for whoever asked.
    pub(in crate::cli) fn refusal(&mut self, answer: &Answer, request: &Request) -> Failure {
        if answer.status == 404 && self.is_elsewhere(answer) {
            return self.wrong_address(request);
        }
        answer.refusal(request, self.endpoint(), self.user())
    }

    /// Whether nothing that was asked for is known there, rather than this one thing.
    fn is_elsewhere(&mut self, answer: &Answer) -> bool {
        let is_below = self.endpoint().is_some_and(|endpoint| !endpoint.prefix().is_empty());
        if answer.is_of_api() && !is_below {
            return false;
        }
        // Every broker has this, for anybody.
        self.send(&Request::get(WHOAMI)).is_ok_and(|answer| answer.status == 404)
    }

    fn wrong_address(&self, request: &Request) -> Failure {
        let (at, prefix) = self.endpoint().map_or_else(Default::default, |endpoint| {
            (format!(" at {endpoint}"), endpoint.prefix().to_owned())
        });
        let asked =
            format!("{} {prefix}{}", request.method, request.path.split('?').next().unwrap_or_default());
        Failure::new(exit::PROTOCOL, format!("there is no broker's HTTP API{at}"))
            .because(format!("404 was the answer to {asked}, and to GET {prefix}{WHOAMI}"))
            .helped_by("This may be the wrong address: the URL ends before /api. Without a proxy it is http://HOST:15672.")
    }

    /// The answer, whatever it is; a failure is one of the way there and back.
    pub(in crate::cli) fn send(&mut self, request: &Request) -> Result<Answer, Failure> {
        let Self { runtime, target, connection } = self;
        runtime.block_on(async {
            let had_connection = connection.is_some();
            match exchange(target, connection, request).await {
                // A connection that was silent for long may have been closed just now; then nothing was asked yet.
                Err(Lost::Unsent(_)) if had_connection => {
                    *connection = None;
                    exchange(target, connection, request).await
                }
                answer => answer,
            }
            .map_err(|lost| match lost {
                Lost::Unsent(failure) | Lost::Sent(failure) => failure,
            })
        })
    }
}

/// What became of a request that was not answered.
enum Lost {
    /// The broker has not seen it.
    Unsent(Failure),
    /// The broker may have done it.
    Sent(Failure),
}

async fn exchange(
    target: &Target,
    connection: &mut Option<(SendRequest<Body>, Endpoint)>,
    request: &Request,
) -> Result<Answer, Lost> {
    let (sender, endpoint) = match connection.take() {
        Some(open) if !open.0.is_closed() => connection.insert(open),
        _ => connection.insert(connect::connect(target).await.map_err(Lost::Unsent)?),
    };
    let composed = compose(target, endpoint, request).map_err(Lost::Unsent)?;
    let unanswered = |error: &hyper::Error, endpoint: &Endpoint| {
        let failure = connect::broken(endpoint, error);
        if error.is_canceled() { Lost::Unsent(failure) } else { Lost::Sent(failure) }
    };
    let asked = async {
        sender.ready().await.map_err(|error| unanswered(&error, endpoint))?;
        let response = sender.send_request(composed).await.map_err(|error| unanswered(&error, endpoint))?;
        let (head, body) = response.into_parts();
        let body: Bytes = to_bytes(Body::new(body), ANSWER_MAX_BYTES).await.map_err(|error| {
            let failure = Failure::new(exit::PROTOCOL, "the broker's answer could not be read to its end");
            let failure = failure.because(error.to_string());
            Lost::Sent(failure.helped_by("If it is too long, ask for less: --columns, --vhost."))
        })?;
        Ok(Answer { status: head.status.as_u16(), body })
    };
    match timeout(target.answer_time, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(lost)) => {
            *connection = None;
            Err(lost)
        }
        Err(_) => {
            let failure = Failure::new(exit::TRY_AGAIN, format!("the broker at {endpoint} does not answer"))
                .because(format!("nothing came within {} s", target.answer_time.as_secs()))
                .helped_by("It may be busy, and may still do it. More time: --timeout SECONDS.");
            *connection = None;
            Err(Lost::Sent(failure))
        }
    }
}

fn compose(target: &Target, endpoint: &Endpoint, request: &Request) -> Result<hyper::Request<Body>, Failure> {
    let mut builder = hyper::Request::builder()
        .method(request.method)
        .uri(format!("{}{}", endpoint.prefix(), request.path))
        .header(HOST, endpoint.authority())
        .header(ACCEPT, "application/json");
    if let Some(login) = &target.login {
        let pair = [login.user.as_bytes(), b":", login.password.expose()].concat();
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
        if let Ok(mut value) = value {
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
    }
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    let has_type = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if request.body.is_some() && !has_type {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    let body = request.body.clone().map_or_else(Body::empty, Body::from);
    builder.body(body).map_err(|error| {
        Failure::usage(format!("'{}' cannot be asked for", request.shown())).because(error.to_string())
    })
}
