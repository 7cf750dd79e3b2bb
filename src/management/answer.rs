//! What is answered when it can be done.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Response, StatusCode};
use futures_util::stream;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::failure::Failure;
use crate::definitions::Pieces;

/// The objects of a list, each made when it is its turn.
pub(super) type Objects = Box<dyn Iterator<Item = Value> + Send>;

/// An answer.
pub(super) enum Answer {
    /// 200 with this.
    Json(Value),
    /// 200 with what was written as JSON before.
    Written(Bytes),
    /// 200 with an array of these, which are made and sent in slices.
    List(Objects),
    /// 200 with a document of these pieces, which are made and sent one after the other; to be kept as a file of that name,
    /// if it has one.
    Document(Pieces, Option<String>),
    /// 303: to be looked at there.
    SeeOther(String),
    /// 201, and perhaps where it is from now on.
    Created(Option<String>),
    /// 202: it is being done, and this is where and what.
    Accepted(String, Value),
    /// 204.
    NoContent,
}

/// The size of a slice of a list, in bytes.
const SLICE_BYTES: usize = 64 * 1024;

impl Answer {
    /// What RabbitMQ answers to a `PUT`.
    pub(super) fn put(is_new: bool) -> Self {
        if is_new { Self::Created(None) } else { Self::NoContent }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        match self {
            Self::Json(value) => json(StatusCode::OK, &value),
            Self::Written(text) => with_json_head(StatusCode::OK, Body::from(text)),
            Self::List(objects) => with_json_head(StatusCode::OK, streamed(Spool::List(objects))),
            Self::Created(location) => {
                let mut response = empty(StatusCode::CREATED);
                if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Self::Document(pieces, file) => {
                let mut response = with_json_head(StatusCode::OK, streamed(Spool::Pieces(pieces)));
                let told =
                    file.and_then(|file| HeaderValue::try_from(format!("attachment; filename={file}")).ok());
                if let Some(told) = told {
                    response.headers_mut().insert(CONTENT_DISPOSITION, told);
                }
                response
            }
            Self::SeeOther(location) => {
                let mut response = empty(StatusCode::SEE_OTHER);
                if let Ok(location) = HeaderValue::try_from(location) {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Self::Accepted(location, value) => {
                let mut response = json(StatusCode::ACCEPTED, &value);
                if let Ok(location) = HeaderValue::try_from(location) {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
            Self::NoContent => empty(StatusCode::NO_CONTENT),
        }
    }
}

impl Failure {
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = json(self.status, &self.body);
        if self.challenges {
            let realm = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, realm);
        }
        response
    }
}

/// 200 or 405 that tells the methods there are.
pub(super) fn methods(status: StatusCode, allowed: &str) -> Response<Body> {
    let mut response = empty(status);
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// 301 to another path.
pub(super) fn moved(to: &str) -> Response<Body> {
    let mut response = empty(StatusCode::MOVED_PERMANENTLY);
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}

/// 200 with a page.
pub(crate) fn html(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    common_head(&mut response);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    common_head(&mut response);
    response
}

/// This value.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    with_json_head(status, Body::from(value.to_string()))
}

fn with_json_head(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    common_head(&mut response);
    response
}

fn common_head(response: &mut Response<Body>) {
    let head = response.headers_mut();
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    head.insert(VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
    head.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    head.insert("content-security-policy", HeaderValue::from_static("default-src 'none'"));
}

/// What is still to be sent.
enum Spool {
    /// Objects of an array.
    List(Objects),
    /// Pieces of a document.
    Pieces(Pieces),
}

/// A body of slices. A slice is made when the one before it is on its way, so that a list of any length takes the memory
/// of one, and a client that takes nothing has nothing done.
fn streamed(spool: Spool) -> Body {
    let first = Some((spool, true));
    Body::from_stream(stream::unfold(first, |state| async move {
        let (spool, is_first) = state?;
        let made = spawn_blocking(move || match spool {
            Spool::List(objects) => {
                let (slice, rest) = slice(objects, is_first);
                (slice, rest.map(Spool::List))
            }
            Spool::Pieces(pieces) => {
                let (slice, rest) = joined(pieces);
                (slice, rest.map(Spool::Pieces))
            }
        });
        Some(match made.await {
            Ok((bytes, rest)) => (Ok(bytes), rest.map(|rest| (rest, false))),
            // A panic there was logged; the client sees that the body is cut short.
            Err(panic) => (Err(std::io::Error::from(panic)), None),
        })
    }))
}

fn joined(mut pieces: Pieces) -> (Bytes, Option<Pieces>) {
    let mut text = String::with_capacity(SLICE_BYTES);
    while text.len() < SLICE_BYTES {
        let Some(piece) = pieces.next() else { return (text.into(), None) };
        text.push_str(&piece);
    }
    (text.into(), Some(pieces))
}

fn slice(mut objects: Objects, is_first: bool) -> (Bytes, Option<Objects>) {
    let mut text = String::with_capacity(SLICE_BYTES);
    let mut comma = !is_first;
    if is_first {
        text.push('[');
    }
    while text.len() < SLICE_BYTES {
        let Some(object) = objects.next() else {
            text.push(']');
            return (text.into(), None);
        };
        if comma {
            text.push(',');
        }
        comma = true;
        text.push_str(&object.to_string());
    }
    (text.into(), Some(objects))
}
