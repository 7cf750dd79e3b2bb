//! From a request to its endpoint, and back with an answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method as HttpMethod, Response, StatusCode};
use axum::routing::any;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::methods;
use super::call::Call;
use super::endpoint::{Endpoint, Method, Needs};
use super::endpoints::ENDPOINTS;
use super::failure::Failure;
use super::guard::guard;
use super::login::{Unknown, log_in};
use super::permit::permit;
use super::query::Query;
use super::server::{By, Comer, LONG_AT_A_TIME};
use super::site::Site;
use crate::access::operator;
use crate::event::acting_for;

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The longest body, in bytes, of somebody who is not known yet: a form with a name and a password.
const UNKNOWN_BODY_MAX_BYTES: usize = 16 * 1024;

/// Bytes of a short string of AMQP, which names are.
pub(super) const NAME_MAX_BYTES: usize = 255;
/// What stands in paths and is no name of AMQP.
const LONG_PARTS: [&str; 2] = ["properties_key", "password"];

/// What stands in a path, decoded, unless it cannot be.
type Parameters = Result<RawPathParams, RawPathParamsRejection>;

/// All endpoints of a broker.
pub(super) fn router(site: &Arc<Site>) -> Router {
    let mut by_path: BTreeMap<&'static str, Vec<&'static Endpoint>> = BTreeMap::new();
    for endpoint in ENDPOINTS {
        by_path.entry(endpoint.path).or_default().push(endpoint);
    }
    let mut router = Router::new();
    let threads = Arc::new(Semaphore::new(LONG_AT_A_TIME));
    for (path, endpoints) in by_path {
        let served =
            Served { site: Arc::clone(site), endpoints: endpoints.into(), threads: Arc::clone(&threads) };
        let served = any(move |parameters: Parameters, request: Request| {
            let served = served.clone();
            async move { serve(served, parameters, request).await }
        });
        router = router.route(path, served);
    }
    router.fallback(async || Failure::no_object().into_response())
}

/// What is at a path.
#[derive(Clone)]
struct Served {
    site: Arc<Site>,
    endpoints: Arc<[&'static Endpoint]>,
    /// Those that all paths share.
    threads: Arc<Semaphore>,
}

async fn serve(served: Served, parameters: Parameters, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match tried(served, parameters, parts, body).await {
        Ok(response) => response,
        Err(failure) => {
            // A login that failed: nothing is held meanwhile but this task.
            if failure.late > Duration::ZERO {
                tokio::time::sleep(failure.late).await;
            }
            failure.into_response()
        }
    }
}

async fn tried(
    Served { site, endpoints, threads }: Served,
    parameters: Parameters,
    parts: Parts,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let comer = *parts.extensions.get::<Comer>().ok_or_else(Failure::internal)?;
    if comer.by == By::Network {
        let config = site.environment.config();
        let names: Vec<&str> =
            config.management.hosts.iter().chain([&site.host_name]).map(String::as_str).collect();
        let origins = &config.management.browsers.cors_allow_origins;
        guard(&parts.method, &parts.headers, comer.address, &names, origins)?;
    }
    if parts.method == HttpMethod::OPTIONS {
        return Ok(methods(StatusCode::OK, &allowed(&endpoints)));
    }
    let found = method(&parts.method)
        .and_then(|method| endpoints.iter().copied().find(|endpoint| endpoint.method == method));
    let Some(endpoint) = found else {
        return Ok(methods(StatusCode::METHOD_NOT_ALLOWED, &allowed(&endpoints)));
    };
    let path = parameters.map_err(|_| Failure::bad_request("The path is not UTF-8"))?;
    let path: Vec<_> = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if path.iter().any(|(name, value)| value.len() > NAME_MAX_BYTES && !LONG_PARTS.contains(&name.as_str())) {
        return Err(Failure::bad_request("A name has at most 255 bytes"));
    }
    let head = |name: &str| parts.headers.get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let call = Call {
        user: None,
        is_operator: comer.by == By::SocketOfOperator && !parts.headers.contains_key(AUTHORIZATION),
        peer: comer.address,
        path,
        query: Query::parse(parts.uri.query().unwrap_or_default()),
        body: Bytes::new(),
        content_type: head("content-type"),
        reason: head("x-reason"),
        site,
    };
    let max = call.environment().config().management.max_body_size;
    let body_max_bytes = usize::try_from(max).unwrap_or(usize::MAX);
    let body_max_bytes = match endpoint.needs {
        Needs::Nothing => body_max_bytes.min(UNKNOWN_BODY_MAX_BYTES),
        _ => body_max_bytes,
    };
    // Before a byte of the body is taken.
    let call = entered(endpoint, call, parts).await?;
    let body = match endpoint.method {
        // Nobody reads what comes with it, and some who are not known may ask.
        Method::Get => Bytes::new(),
        _ => match timeout(BODY_TIME, to_bytes(body, body_max_bytes)).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return Err(Failure::bad_request("Exceeded HTTP request body size limit")),
            Err(_) => return Err(Failure::too_slow()),
        },
    };
    let call = Call { body, ..call };
    let thread = if endpoint.is_health_check() {
        None
    } else {
        // Nobody closes it.
        Some(threads.acquire_owned().await.map_err(|_| Failure::internal())?)
    };
    let served = spawn_blocking(move || {
        let _thread = thread;
        let _acting = call.user.as_ref().map(|user| acting_for(user.name.as_str()));
        (endpoint.serve)(&call)
    });
    let served = served.await;
    // A panic there was logged.
    served.map_err(|_| Failure::internal())?.map(super::answer::Answer::into_response)
}

/// Who asks, if it may. A failed login is answered late.
async fn entered(endpoint: &'static Endpoint, call: Call, parts: Parts) -> Result<Call, Failure> {
    if endpoint.needs == Needs::Nothing {
        return Ok(call);
    }
    let checked = spawn_blocking(move || {
        let user = if call.is_operator {
            operator()
        } else {
            log_in(call.environment(), &parts.headers, call.peer)?
        };
        let (vhost, of) = (call.find("vhost"), call.find("user"));
        let permitted = permit(call.environment(), &user, endpoint.needs, vhost, of);
        Ok(permitted.map(|()| Call { user: Some(user), ..call }))
    });
    match checked.await {
        Ok(Ok(permitted)) => permitted,
        Ok(Err(Unknown::NoCredentials)) => Err(Failure::not_authenticated("Not_Authorized")),
        Ok(Err(Unknown::Refused(late))) => Err(Failure::login_refused(late)),
        Err(_) => Err(Failure::internal()),
    }
}

fn method(method: &HttpMethod) -> Option<Method> {
    match *method {
        HttpMethod::GET | HttpMethod::HEAD => Some(Method::Get),
        HttpMethod::PUT => Some(Method::Put),
        HttpMethod::POST => Some(Method::Post),
        HttpMethod::DELETE => Some(Method::Delete),
        _ => None,
    }
}

/// What a path can be asked, in RabbitMQ's order.
fn allowed(endpoints: &[&Endpoint]) -> String {
    let has = |method| endpoints.iter().any(|endpoint| endpoint.method == method);
    let mut names = Vec::new();
    if has(Method::Get) {
        names.push("HEAD");
    }
    names.extend(
        [Method::Get, Method::Put, Method::Post, Method::Delete]
            .into_iter()
            .filter(|m| has(*m))
            .map(Method::as_str),
    );
    names.push("OPTIONS");
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_a_path_stands_in_the_table_once() {
        let mut rows: Vec<(&str, Method)> = ENDPOINTS.iter().map(|row| (row.path, row.method)).collect();
        let all = rows.len();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), all);
    }
}
