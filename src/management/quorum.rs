//! What several nodes would have: replicas of quorum queues, and leaders that are spread over nodes. Here each queue has the one
//! replica, on this node, and that leads.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use super::queues::named;

/// `GET /api/queues/quorum/{vhost}/{queue}/status`
pub(super) fn status(call: &Call) -> Result<Answer, Failure> {
    let queue = named(call, &*call.vhost()?)?;
    if !queue.options().is_quorum() {
        return Err(refused("classic_queue_not_supported"));
    }
    // There is no log of its own whose numbers could be told.
    Ok(Answer::Json(json!([{
        "Node Name": call.site.node,
        "Raft State": "leader",
        "Membership": "voter",
        "Last Log Index": 0,
        "Last Written": 0,
        "Last Applied": 0,
        "Commit Index": 0,
        "Snapshot Index": -1,
        "Term": 1,
        "Machine Version": 0,
    }])))
}

/// `POST /api/queues/quorum/{vhost}/{queue}/replicas/add`: on this node there is one already.
pub(super) fn add_replica(call: &Call) -> Result<Answer, Failure> {
    of_replica(call)?;
    Ok(Answer::NoContent)
}

/// `DELETE /api/queues/quorum/{vhost}/{queue}/replicas/delete`: not the last one.
pub(super) fn delete_replica(call: &Call) -> Result<Answer, Failure> {
    of_replica(call)?;
    Err(refused("last_node"))
}

/// The queue in the path, and the node in the body, which has to be this one.
fn of_replica(call: &Call) -> Result<(), Failure> {
    let object = call.object_with(&["node"])?;
    let queue = named(call, &*call.vhost()?)?;
    if !queue.options().is_quorum() {
        return Err(refused("classic_queue_not_supported"));
    }
    match text(&object, "node")? {
        Some(node) if node == call.site.node => Ok(()),
        _ => Err(refused("node_not_running")),
    }
}

/// `POST /api/queues/quorum/replicas/on/{node}/grow`: all of them are there already.
pub(super) fn grow(call: &Call) -> Result<Answer, Failure> {
    this_node(call)?;
    Ok(Answer::NoContent)
}

/// `DELETE /api/queues/quorum/replicas/on/{node}/shrink`: not the last ones.
pub(super) fn shrink(call: &Call) -> Result<Answer, Failure> {
    this_node(call)?;
    Err(refused("last_node"))
}

fn this_node(call: &Call) -> Result<(), Failure> {
    if call.part("node") == call.site.node { Ok(()) } else { Err(Failure::no_object()) }
}

/// `POST /api/rebalance/queues`: on one node nothing is out of balance.
pub(super) fn rebalance(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::NoContent)
}

/// `GET /api/health/checks/quorum-queues-without-elected-leaders/...`: every queue has one.
pub(super) fn leaders(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "status": "ok" })))
}

fn refused(reason: &str) -> Failure {
    let body: Value = json!({ "status": "failed", "error": "service_unavailable", "reason": reason });
    Failure::with_body(StatusCode::SERVICE_UNAVAILABLE, body)
}
