//! Policies, parameters and definitions.

use super::described::{Described, delete, get, post, put};

pub(super) const DESCRIBED: &[Described] = &[
    get("/api/policies", "All policies.", "200 [Policy]").listed(),
    get("/api/policies/{vhost}", "The policies there.", "200 [Policy]").listed(),
    get("/api/policies/{vhost}/{name}", "A policy.", "200 Policy"),
    put("/api/policies/{vhost}/{name}", "Sets a policy.", POLICY),
    delete("/api/policies/{vhost}/{name}", "Takes it away."),
    get("/api/operator-policies", "All operator policies.", "200 [Policy]").listed(),
    get("/api/operator-policies/{vhost}", "The operator policies there.", "200 [Policy]").listed(),
    get("/api/operator-policies/{vhost}/{name}", "An operator policy.", "200 Policy"),
    put("/api/operator-policies/{vhost}/{name}", "Sets an operator policy.", POLICY),
    delete("/api/operator-policies/{vhost}/{name}", "Takes it away."),
    get("/api/parameters", "All parameters.", "200 [Parameter]").listed(),
    get("/api/parameters/{component}", "Those of a component.", "200 [Parameter]").listed(),
    get("/api/parameters/{component}/{vhost}", "Those of a component there.", "200 [Parameter]").listed(),
    get("/api/parameters/{component}/{vhost}/{name}", "A parameter.", "200 Parameter"),
    put("/api/parameters/{component}/{vhost}/{name}", "Sets a parameter.", "value:any"),
    delete("/api/parameters/{component}/{vhost}/{name}", "Clears it."),
    get("/api/global-parameters", "Parameters of no virtual host.", "200 [GlobalParameter]").listed(),
    get("/api/global-parameters/{name}", "One of them.", "200 GlobalParameter"),
    put("/api/global-parameters/{name}", "Sets one.", "value:any"),
    delete("/api/global-parameters/{name}", "Clears it."),
    get("/api/definitions", "All definitions, as a file for the next broker.", "200 Definitions")
        .query("download?:string"),
    post("/api/definitions", "Imports definitions.", "204|303").body(DEFINITIONS),
    get("/api/definitions/{vhost}", "The definitions there.", "200 Definitions").query("download?:string"),
    post("/api/definitions/{vhost}", "Imports definitions into it.", "204|303").body(DEFINITIONS),
];

const POLICY: &str = "pattern:string definition:object priority?:integer \
                      apply-to?:=queues,classic_queues,quorum_queues,streams,exchanges,all";
const DEFINITIONS: &str = "users?:[object] vhosts?:[object] permissions?:[object] topic_permissions?:[object] \
                           parameters?:[object] global_parameters?:[object] policies?:[object] queues?:[object] \
                           exchanges?:[object] bindings?:[object]";
