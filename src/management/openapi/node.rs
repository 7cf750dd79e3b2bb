//! The broker itself: overview, nodes, features, health.

use super::described::{Described, get, put};

pub(super) const DESCRIBED: &[Described] = &[
    get("/api/overview", "What runs here, and how much of it.", "200 Overview"),
    get("/api/version", "The version that clients are told.", "200 string"),
    get("/api/extensions", "What is added to RabbitMQ's pages.", "200 [object]"),
    get("/api/cluster-name", "The name of the cluster.", "200 Name"),
    put("/api/cluster-name", "Renames it.", "name:string"),
    get("/api/feature-flags", "The feature flags: all enabled.", "200 [FeatureFlag]"),
    get("/api/nodes", "The one node that there is, as a list.", "200 [Node]").listed(),
    get("/api/nodes/{name}", "The node.", "200 Node"),
    get("/api/aliveness-test/{vhost}", "Sends a message through a queue there.", "200|503 Health"),
    get("/api/healthchecks/node", "Looks at nothing, as RabbitMQ's.", "200 Health"),
    get("/api/healthchecks/node/{node}", "The same.", "200 Health"),
    get("/api/health/checks/alarms", "Whether publishers may go on.", "200|503 Health"),
    get("/api/health/checks/local-alarms", "The same.", "200|503 Health"),
    get("/api/health/checks/virtual-hosts", "Whether all virtual hosts run.", "200|503 Health"),
    get(
        "/api/health/checks/node-is-mirror-sync-critical",
        "Whether others need this node: never.",
        "200 Health",
    ),
    get("/api/health/checks/node-is-quorum-critical", "The same.", "200 Health"),
    get("/api/health/checks/is-in-service", "Whether clients are served.", "200|503 Health"),
    get("/api/health/checks/ready-to-serve-clients", "The same.", "200|503 Health"),
    get(
        "/api/health/checks/below-node-connection-limit",
        "Whether further clients may come.",
        "200|503 Health",
    ),
    get(
        "/api/health/checks/reached-target-cluster-size",
        "Whether all nodes are there: one is.",
        "200 Health",
    ),
    get("/api/health/checks/port-listener/{port}", "Whether something listens at a port.", "200|503 Health"),
    get("/api/health/checks/protocol-listener/{protocol}", "Whether a protocol is served.", "200|503 Health"),
];
