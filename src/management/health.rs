//! Whether the broker can do what it is for.

use std::time::{Duration, UNIX_EPOCH};

use leveret_protocol::method::queue;
use leveret_protocol::properties::Properties;
use leveret_protocol::table::Table;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::direct::{Direct, PublishRefused, Published};
use super::failure::Failure;
use super::site::Listening;
use crate::message::Message;
use crate::time::Time;

fn ok() -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "status": "ok" })))
}

/// `GET /api/health/checks/alarms` and `.../local-alarms`: whether publishers may go on.
pub(super) fn alarms(call: &Call) -> Result<Answer, Failure> {
    let raised = call.environment().raised();
    let named = [("memory", raised.memory), ("disk", raised.disk)].into_iter().filter(|(_, raised)| *raised);
    let named: Vec<Value> =
        named.map(|(resource, _)| json!({ "node": call.site.node, "resource": resource })).collect();
    if named.is_empty() {
        return ok();
    }
    Err(Failure::unhealthy("There are alarms in effect in the cluster", json!({ "alarms": named })))
}

/// `GET /api/health/checks/virtual-hosts`: those that there are run.
pub(super) fn virtual_hosts(call: &Call) -> Result<Answer, Failure> {
    if call.environment().vhosts.all().is_empty() {
        return Err(Failure::unhealthy("There are no virtual hosts", json!({})));
    }
    ok()
}

/// Checks of what can only go wrong with several nodes.
pub(super) fn of_one_node(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "status": "ok", "reason": "single node cluster" })))
}

/// `GET /api/health/checks/is-in-service` and `.../ready-to-serve-clients`
pub(super) fn in_service(call: &Call) -> Result<Answer, Failure> {
    if call.environment().stopping.is_cancelled() {
        return Err(Failure::unhealthy("The broker is stopping", json!({})));
    }
    if !call.environment().app.is_running() {
        return Err(Failure::unhealthy("The broker serves no clients until it is told to start", json!({})));
    }
    ok()
}

/// `GET /api/health/checks/below-node-connection-limit`
pub(super) fn below_connection_limit(call: &Call) -> Result<Answer, Failure> {
    let max = call.environment().config().max_connections.unwrap_or(call.site.descriptors);
    let current = call.environment().connections.len();
    if current >= max {
        let further = json!({ "current": current, "limit": max });
        return Err(Failure::unhealthy("node connection limit is reached", further));
    }
    ok()
}

/// `GET /api/health/checks/reached-target-cluster-size`: one node is all there is to be.
pub(super) fn cluster_size(_: &Call) -> Result<Answer, Failure> {
    Ok(Answer::Json(json!({ "status": "ok", "cluster_size": 1, "target_cluster_size": 1 })))
}

/// `GET /api/health/checks/port-listener/{port}`
pub(super) fn port_listener(call: &Call) -> Result<Answer, Failure> {
    let port: u16 = call.part("port").parse().map_err(|_| Failure::bad_request("Invalid port"))?;
    let ports: Vec<u16> = call.site.served().map(|listening| listening.address.port()).collect();
    if ports.contains(&port) {
        return Ok(Answer::Json(json!({ "status": "ok", "port": port })));
    }
    Err(Failure::unhealthy("No active listener", json!({ "missing": port, "ports": ports })))
}

/// `GET /api/health/checks/protocol-listener/{protocol}`
pub(super) fn protocol_listener(call: &Call) -> Result<Answer, Failure> {
    let asked = call.part("protocol");
    let protocol = match asked {
        "amqp091" | "amqp0.9.1" => Listening::AMQP,
        "amqp091s" | "amqps" => Listening::AMQPS,
        "prometheus" => Listening::METRICS,
        other => other,
    };
    let mut protocols: Vec<&str> = call.site.served().map(|listening| listening.protocol).collect();
    protocols.sort_unstable();
    protocols.dedup();
    if protocols.contains(&protocol) {
        return Ok(Answer::Json(json!({ "status": "ok", "protocol": protocol })));
    }
    Err(Failure::unhealthy("No active listener", json!({ "missing": asked, "protocols": protocols })))
}

/// `GET /api/health/checks/certificate-expiration/{within}/{unit}`: whether the certificate of a listener ends within that
/// time, or has ended.
pub(super) fn certificate_expiration(call: &Call) -> Result<Answer, Failure> {
    let unit = match call.part("unit").to_ascii_lowercase().as_str() {
        "days" => 1,
        "weeks" => 7,
        "months" => 30,
        "years" => 365,
        _ => {
            let reason = "Time unit not recognised. Supported units: days, weeks, months, years.";
            return Err(Failure::bad_request(reason));
        }
    };
    let within: u32 =
        call.part("within").parse().map_err(|_| Failure::bad_request("Invalid expiration value."))?;
    let within = Duration::from_hours(24) * unit * within.min(WITHIN_MAX);
    let by = UNIX_EPOCH + Duration::from_millis(Time::now().as_millis()) + within;
    let config = call.environment().config();
    let mut expired = Vec::new();
    for listening in call.site.served() {
        let Some((tls, settings)) = call.site.encryption(&config, listening) else { continue };
        let certificate = tls.certificate();
        if certificate.not_after >= by {
            continue;
        }
        let at = certificate.validity().split(" - ").nth(1).unwrap_or_default();
        expired.push(json!({
            "node": call.site.node,
            "protocol": listening.protocol,
            "interface": listening.address.ip().to_string(),
            "port": listening.address.port(),
            "certfile": settings.certfile,
            "cacertfile": settings.cacertfile,
            "certfile_expires_on": [at.trim_end_matches('Z').replace('T', " ")],
            "cacertfile_expires_on": [],
        }));
    }
    if expired.is_empty() {
        return ok();
    }
    Err(Failure::unhealthy("Certificates expiring", json!({ "expired": expired })))
}

/// No certificate counts for so many years.
const WITHIN_MAX: u32 = 1000;

/// `GET /api/health/checks/metadata-store/initialized`: nothing is answered before it is.
pub(super) fn initialized(_: &Call) -> Result<Answer, Failure> {
    ok()
}

/// `GET /api/health/checks/metadata-store/initialized/with-data`: whether there is anything in it.
pub(super) fn initialized_with_data(call: &Call) -> Result<Answer, Failure> {
    if call.environment().access.is_empty() || call.environment().vhosts.all().is_empty() {
        return Err(Failure::unhealthy("There are no users, or no virtual hosts", json!({})));
    }
    ok()
}

/// `GET /api/healthchecks/node`: RabbitMQ has not looked at anything there for long.
pub(super) fn node(_: &Call) -> Result<Answer, Failure> {
    ok()
}

/// The queue through which [`aliveness`] sends a message.
const ALIVENESS_QUEUE: &str = "aliveness-test";

/// `GET /api/aliveness-test/{vhost}`: sends a message through a queue and takes it out again.
pub(super) fn aliveness(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let mut direct = Direct::open(call, &vhost)?.entered()?;
    let declared = direct.call(queue::Declare {
        queue: ALIVENESS_QUEUE,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: Table::EMPTY,
    });
    declared.map_err(|exception| Failure::of_method(&exception))?;
    let message = Message::compose("", ALIVENESS_QUEUE, Properties::EMPTY.as_bytes(), b"test_message");
    let message = message.ok_or_else(Failure::internal)?;
    match direct.publish(call, message) {
        Ok(Published::Routed) => {}
        Ok(Published::Unroutable | Published::Rejected) => {
            return Err(Failure::unhealthy("The message was not taken", json!({})));
        }
        Err(PublishRefused::Exception(exception)) => return Err(Failure::of_publish(&exception)),
        Err(PublishRefused::DiskFailed) => return Err(Failure::disk_failed()),
    }
    match direct.get(ALIVENESS_QUEUE, true) {
        Ok(Some(_)) => ok(),
        // Somebody else who asked the same was quicker.
        Ok(None) if vhost.queues().get(ALIVENESS_QUEUE).is_some() => ok(),
        Ok(None) => Err(Failure::unhealthy("The message did not come back", json!({}))),
        Err(exception) => Err(Failure::of_channel(&exception)),
    }
}
