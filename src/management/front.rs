//! What stands before all endpoints and behind all answers: the prefix of paths, what moved, a page for whoever comes with a
//! browser, and what browsers are told.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW,
    CONTENT_SECURITY_POLICY, HeaderName, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, uri};
use tower_service::Service;

use super::answer::{methods, moved};
use super::failure::Failure;
use super::guard::{Allowed, allowed};
use super::page::page;
use super::router::router;
use super::server::{By, Comer};
use super::site::Site;
use crate::config::Browsers;

/// Where RabbitMQ has pages that lead elsewhere, and where they lead.
const MOVED: [(&str, &str); 4] = [
    ("/api", "/api/index.html"),
    ("/stats", "/api/index.html"),
    ("/doc/stats.html", "/api/index.html"),
    ("/mgmt", "/"),
];

/// All that is served of a broker.
pub fn front(site: &Arc<Site>) -> Router {
    let (site, endpoints) = (Arc::clone(site), router(site));
    Router::new().fallback(move |request: Request| {
        let (site, endpoints) = (Arc::clone(&site), endpoints.clone());
        async move { answer(&site, endpoints, request).await }
    })
}

async fn answer(site: &Site, endpoints: Router, request: Request) -> Response<Body> {
    let config = site.environment.config();
    let asked = Asked::of(request.headers());
    let mut response = served(config.management.path_prefix.as_deref(), endpoints, request).await;
    dress(&mut response, &asked, &config.management.browsers);
    response
}

async fn served(prefix: Option<&str>, mut endpoints: Router, request: Request) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let is_local = parts.extensions.get::<Comer>().is_some_and(|comer| comer.by != By::Network);
    let prefix = prefix.unwrap_or_default();
    match without_prefix(&parts.uri, prefix) {
        Some(uri) => parts.uri = uri,
        // The commands of this machine need not know it.
        None if is_local => {}
        None if parts.uri.path() == "/" => return moved(&format!("{prefix}/")),
        None => return Failure::no_object().into_response(),
    }
    if let Some(uri) = without_last_slashes(&parts.uri) {
        parts.uri = uri;
    }
    let path = parts.uri.path();
    if let Some((_, to)) = MOVED.iter().find(|(from, _)| *from == path) {
        return moved(&format!("{prefix}{to}"));
    }
    if path == "/" || path == "/api/index.html" {
        return match parts.method {
            Method::GET | Method::HEAD => page(prefix),
            Method::OPTIONS => methods(StatusCode::OK, "HEAD, GET, OPTIONS"),
            _ => methods(StatusCode::METHOD_NOT_ALLOWED, "HEAD, GET, OPTIONS"),
        };
    }
    match endpoints.call(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// What stands behind the prefix; nothing where it is not there.
fn without_prefix(uri: &Uri, prefix: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(prefix)?;
    match rest {
        _ if prefix.is_empty() => Some(uri.clone()),
        "" => with_path(uri, "/"),
        _ if rest.starts_with('/') => with_path(uri, rest),
        _ => None,
    }
}

/// A path with or without a slash at its end is the same.
fn without_last_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path().trim_end_matches('/');
    if path.len() == uri.path().len() || path.is_empty() {
        return None;
    }
    with_path(uri, path)
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let with_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    parts.path_and_query = Some(uri::PathAndQuery::try_from(with_query).ok()?);
    Uri::from_parts(parts).ok()
}

/// What a browser says of the page that asks.
struct Asked {
    origin: Option<HeaderValue>,
    headers: Option<HeaderValue>,
}

impl Asked {
    fn of(head: &HeaderMap) -> Self {
        let of = |name| head.get(name).cloned();
        Self { origin: of(ORIGIN), headers: of(ACCESS_CONTROL_REQUEST_HEADERS) }
    }
}

/// Adds what browsers are to know.
fn dress(response: &mut Response<Body>, asked: &Asked, browsers: &Browsers) {
    let head = response.headers_mut();
    let mut set = |name: HeaderName, value: &Option<String>| {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::try_from(value).ok()) {
            head.insert(name, value);
        }
    };
    set(CONTENT_SECURITY_POLICY, &browsers.csp_policy);
    set(STRICT_TRANSPORT_SECURITY, &browsers.hsts_policy);
    set(X_CONTENT_TYPE_OPTIONS, &browsers.content_type_options);
    set(X_XSS_PROTECTION, &browsers.xss_protection);
    set(X_FRAME_OPTIONS, &browsers.frame_options);
    set(REFERRER_POLICY, &browsers.referrer_policy);
    let Some(origin) = &asked.origin else { return };
    let Some(allowed) = origin.to_str().ok().and_then(|origin| allowed(origin, &browsers.cors_allow_origins))
    else {
        return;
    };
    match allowed {
        Allowed::ByName => {
            head.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            head.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        // Whoever is allowed as all are may not use what the browser remembers.
        Allowed::AsAll => {
            head.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    // An answer to a browser that asks whether it may ask.
    if let Some(methods) = head.get(ALLOW).cloned() {
        head.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        head.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(browsers.cors_max_age));
        if let Some(headers) = &asked.headers {
            head.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_path_is_a_prefix_of_whole_parts() {
        for (uri, prefix, expected) in [
            ("/api/queues/%2F?a=b", "", Some("/api/queues/%2F?a=b")),
            ("/mq/api/queues/%2F?a=b", "/mq", Some("/api/queues/%2F?a=b")),
            ("/mq", "/mq", Some("/")),
            ("/mq/", "/mq", Some("/")),
            ("/mqx/api", "/mq", None),
            ("/api/overview", "/mq", None),
            ("/", "/mq", None),
            ("/a/b/api", "/a/b", Some("/api")),
        ] {
            let found = without_prefix(&uri.parse().unwrap(), prefix);
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn slashes_at_the_end_of_a_path_are_dropped_and_escaped_ones_are_not() {
        for (uri, expected) in [
            ("/api/queues/", Some("/api/queues")),
            ("/api/queues//?a=b/", Some("/api/queues?a=b/")),
            ("/api/queues/%2F", None),
            ("/api/queues/%2F/", Some("/api/queues/%2F")),
            ("/", None),
        ] {
            let found = without_last_slashes(&uri.parse().unwrap());
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{uri}");
        }
    }
}
