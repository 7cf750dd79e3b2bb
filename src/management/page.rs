//! The page for whoever comes with a browser.

use axum::body::Body;
use axum::http::Response;

use super::answer::html;

/// Says what this is, and where to go from here. `prefix` stands before all paths.
pub(super) fn page(prefix: &str) -> Response<Body> {
    html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Leveret</title></head>\n<body>\n\
         <h1>Leveret {version}</h1>\n\
         <p>An AMQP 0-9-1 message broker. This is its HTTP API, which is RabbitMQ's; the paths begin with \
         <code>{prefix}/api/</code>.</p>\n\
         <ul>\n\
         <li><a href=\"{prefix}/api/overview\">overview</a></li>\n\
         <li><a href=\"{prefix}/api/queues\">queues</a></li>\n\
         <li><a href=\"{prefix}/api/connections\">connections</a></li>\n\
         <li><a href=\"{prefix}/api/nodes\">node</a></li>\n\
         </ul>\n\
         <p>On the machine itself, <code>leveret help</code> lists the commands.</p>\n\
         </body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}
