//! The broker itself: overview, nodes, features, health.

use super::described::{Described, delete, get, post, put};

pub(super) const DESCRIBED: &[Described] = &[
    get("/api/overview", "What runs here, and how much of it.", "200 Overview"),
    get("/api/version", "The version that clients are told.", "200 string"),
    get("/api/extensions", "What is added to RabbitMQ's pages.", "200 [object]"),
    get("/api/cluster-name", "The name of the cluster.", "200 Name"),
    put("/api/cluster-name", "Renames it.", "name:string"),
    get("/api/feature-flags", "The feature flags: all enabled.", "200 [FeatureFlag]"),
    put("/api/feature-flags/{name}/enable", "Enables one: it is already.", ""),
    get("/api/deprecated-features", "What RabbitMQ deprecates.", "200 [DeprecatedFeature]").listed(),
    get("/api/deprecated-features/used", "Those that are in use.", "200 [DeprecatedFeature]").listed(),
    post("/api/rebalance/queues", "Spreads leaders over nodes: there is one.", "204"),
    get(
        "/api/config/effective",
        "Every key of the configuration with its value, but for secrets.",
        "200 object",
    ),
    get("/api/all-configuration", "An old name of definitions.", "200 Definitions"),
    post("/api/all-configuration", "The same.", "204|303").body(""),
    get("/api/queues/quorum/{vhost}/{queue}/status", "The replicas of a quorum queue.", "200 [object]"),
    post("/api/queues/quorum/{vhost}/{queue}/replicas/add", "Adds a replica: there is one.", "204|503")
        .body("node:string"),
    delete("/api/queues/quorum/{vhost}/{queue}/replicas/delete", "Refuses to take the one replica away.")
        .gives("503"),
    post("/api/queues/quorum/replicas/on/{node}/grow", "Adds replicas: they are there.", "204"),
    delete("/api/queues/quorum/replicas/on/{node}/shrink", "Refuses to take the only replicas away.")
        .gives("503"),
    get(
        "/api/health/checks/certificate-expiration/{within}/{unit}",
        "Whether the certificates of AMQP, of this interface and of metrics count for so long.",
        "200|503 Health",
    ),
    get("/api/health/checks/metadata-store/initialized", "Whether definitions are there.", "200 Health"),
    get(
        "/api/health/checks/metadata-store/initialized/with-data",
        "Whether there are users and virtual hosts.",
        "200|503 Health",
    ),
    get(
        "/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts",
        "Whether every queue has a leader.",
        "200 Health",
    ),
    get(
        "/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}",
        "The same.",
        "200 Health",
    ),
    get("/api/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}", "The same.", "200 Health"),
    get(
        "/api/health/checks/quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}",
        "The same.",
        "200 Health",
    ),
    get("/api/nodes", "The one node that there is, as a list.", "200 [Node]").listed(),
    get("/api/nodes/{name}", "The node.", "200 Node"),
    get("/api/nodes/{name}/memory", "What its memory is used for, in bytes.", "200 object"),
    get("/api/nodes/{name}/memory/relative", "The same in per cent.", "200 object"),
    delete("/api/reset", "Forgets the statistics that were sampled."),
    delete("/api/reset/{name}", "The same."),
    get("/api/auth/attempts/{name}", "Logins by protocol.", "200 [AuthAttempts]").listed(),
    delete("/api/auth/attempts/{name}", "Counts them from nothing again."),
    get("/api/auth/attempts/{name}/source", "Logins by address and name, too.", "200 [AuthAttempts]")
        .listed(),
    delete("/api/auth/attempts/{name}/source", "Counts them from nothing again."),
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
