//! The page for whoever comes with a browser.

use axum::body::Body;
use axum::http::Response;

use crate::management::html;

/// Says what this is, and where the metrics are.
pub(super) fn page(path: &str) -> Response<Body> {
    html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Leveret</title></head>\n<body>\n\
         <h1>Leveret {version}</h1>\n\
         <ul>\n\
         <li><a href=\"{path}\">metrics</a></li>\n\
         <li><a href=\"/health/live\">whether the broker lives</a></li>\n\
         <li><a href=\"/health/ready\">whether it is ready for clients</a></li>\n\
         </ul>\n\
         </body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}
