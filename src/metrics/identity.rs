//! Who is told of: dashboards join everything with this.

use super::family::{LEVERET, RABBITMQ};
use super::scrape::Subject;
use super::text::{Kind, Labels, Text};
use super::wanted::Endpoint;
use crate::connection::capabilities::{COMPATIBLE_PRODUCT, COMPATIBLE_VERSION};
use crate::management::stand_ins::ERLANG_VERSION;
use crate::version;

/// The version of the format's library that RabbitMQ has.
const CLIENT_VERSION: &str = "4.11.0";

/// Says which broker this is, and which of its endpoints.
pub(super) fn write(subject: &Subject, endpoint: Endpoint, text: &mut Text) {
    let help = "RabbitMQ & Erlang/OTP version info";
    text.family(RABBITMQ, "build_info", Kind::Untyped, help);
    let build = |labels: &mut Labels<'_>| {
        labels
            .put("product_name", COMPATIBLE_PRODUCT)
            .put("product_version", COMPATIBLE_VERSION)
            .put("rabbitmq_version", COMPATIBLE_VERSION)
            .put("prometheus_plugin_version", COMPATIBLE_VERSION)
            .put("prometheus_client_version", CLIENT_VERSION)
            .put("erlang_version", ERLANG_VERSION);
    };
    text.sample(RABBITMQ, "build_info", build, 1_u64);
    let help = "RabbitMQ node & cluster identity info";
    text.family(RABBITMQ, "identity_info", Kind::Untyped, help);
    let identity = |labels: &mut Labels<'_>| {
        labels
            .put("rabbitmq_node", &subject.site.node)
            .put("rabbitmq_cluster", &subject.cluster_name())
            .put("rabbitmq_cluster_permanent_id", &subject.cluster_id())
            .put("rabbitmq_endpoint", endpoint.as_str());
    };
    text.sample(RABBITMQ, "identity_info", identity, 1_u64);
    text.family(LEVERET, "build_info", Kind::Gauge, "The version of this broker");
    let version = |labels: &mut Labels<'_>| {
        labels.put("version", version::NUMBER).put("commit", version::COMMIT.unwrap_or_default());
    };
    text.sample(LEVERET, "build_info", version, 1_u64);
}
