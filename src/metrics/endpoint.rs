//! From a request to an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, Response, StatusCode};

use super::Awaited;
use super::body::{body, takes_gzip};
use super::scrape::{Scrape, Subject};
use super::scrapes::Scrapes;
use super::text::CONTENT_TYPE as TEXT;
use super::wanted::{Endpoint, Wanted};
use crate::management::{Comer, Query, monitor, no_object};

/// The metrics of a broker, at a path.
pub(super) struct Metrics {
    awaited: Awaited,
    /// Without a slash at its end.
    path: String,
    scrapes: Arc<Scrapes>,
}

const ALLOWED: HeaderValue = HeaderValue::from_static("HEAD, GET, OPTIONS");

impl Metrics {
    pub(super) fn new(awaited: Awaited, path: &str) -> Self {
        Self { awaited, path: path.trim_end_matches('/').to_owned(), scrapes: Arc::default() }
    }

    /// Answers whatever is asked.
    pub(super) async fn answer(&self, request: Request) -> Response<Body> {
        match self.answered(request).await {
            Ok(response) | Err(response) => response,
        }
    }

    async fn answered(&self, request: Request) -> Result<Response<Body>, Response<Body>> {
        let Some(name) = self.name(request.uri().path()) else { return Err(no_object()) };
        let endpoint =
            Endpoint::named(name).ok_or_else(|| plain(StatusCode::NOT_FOUND, "Unknown Registry"))?;
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(allowed(StatusCode::OK)),
            _ => return Err(allowed(StatusCode::METHOD_NOT_ALLOWED)),
        }
        let Some(site) = self.awaited.site() else {
            let still = "The broker brings back what it has kept";
            return Err(plain(StatusCode::SERVICE_UNAVAILABLE, still));
        };
        let config = site.environment.config();
        if config.metrics.authentication {
            let comer = request.extensions().get::<Comer>().copied();
            let refused = monitor(site, request.headers(), comer).await.err();
            if let Some(mut refused) = refused {
                if let Some(realm) = refused.headers_mut().get_mut(WWW_AUTHENTICATE) {
                    *realm = HeaderValue::from_static("Basic realm=\"RabbitMQ Prometheus\"");
                }
                return Err(refused);
            }
        }
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let endpoint = match endpoint {
            Endpoint::Aggregated if config.metrics.return_per_object_metrics => Endpoint::PerObject,
            other => other,
        };
        let wanted = Wanted::read(endpoint, query.pairs());
        let wanted = wanted.map_err(|mistake| plain(StatusCode::BAD_REQUEST, &mistake.to_string()))?;
        let gzip = takes_gzip(request.headers());
        let subject = Subject { site: Arc::clone(site), scrapes: Arc::clone(&self.scrapes) };
        let mut response = match *request.method() {
            Method::HEAD => Response::default(),
            _ => Response::new(body(Scrape::new(&Arc::new(subject), wanted), gzip)),
        };
        let head = response.headers_mut();
        head.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
        head.insert(VARY, HeaderValue::from_static("accept-encoding"));
        head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if gzip {
            head.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// What stands in a path behind ours and a slash; nothing where there is something else.
    fn name<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.path.as_str())?.trim_end_matches('/');
        let name = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
        (!name.contains('/')).then_some(name)
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn allowed(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(ALLOW, ALLOWED);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_are_at_their_path_and_one_part_below_it() {
        let metrics = Metrics::new(Awaited::default(), "/metrics");
        for (path, expected) in [
            ("/metrics", Some("")),
            ("/metrics/", Some("")),
            ("/metrics/per-object", Some("per-object")),
            ("/metrics/detailed/", Some("detailed")),
            ("/metrics/a/b", None),
            ("/metricsx", None),
            ("/", None),
        ] {
            assert_eq!(metrics.name(path), expected, "{path}");
        }
        assert_eq!(Metrics::new(Awaited::default(), "/a/b/").name("/a/b/detailed"), Some("detailed"));
    }
}
