//! How often somebody has tried to log in.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::listing::whole;
use crate::access::{Attempts, LoginProtocol, Tried};

/// `GET /api/auth/attempts/{name}`: by protocol.
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    let attempts = of_node(call)?;
    let rows = LoginProtocol::ALL.map(|protocol| (protocol, attempts.over(protocol)));
    let rows = rows.into_iter().filter(|(_, tried)| *tried != Tried::default());
    Ok(whole(call, rows.collect(), |(protocol, tried)| Some(object(*protocol, *tried))))
}

/// `GET /api/auth/attempts/{name}/source`: by address and name, too.
pub(super) fn by_source(call: &Call) -> Result<Answer, Failure> {
    Ok(whole(call, of_node(call)?.by_source(), |(source, tried)| {
        let mut object = object(source.protocol, *tried);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("remote_address".to_owned(), json!(source.address.to_canonical().to_string()));
            fields.insert("username".to_owned(), json!(source.user));
        }
        Some(object)
    }))
}

/// `DELETE /api/auth/attempts/{name}`: counts from nothing again.
pub(super) fn forget(call: &Call) -> Result<Answer, Failure> {
    of_node(call)?.forget();
    Ok(Answer::NoContent)
}

/// `DELETE /api/auth/attempts/{name}/source`
pub(super) fn forget_sources(call: &Call) -> Result<Answer, Failure> {
    of_node(call)?.forget_sources();
    Ok(Answer::NoContent)
}

/// Those of the node in the path; 404 for another one.
fn of_node(call: &Call) -> Result<&Attempts, Failure> {
    if call.part("name") != call.site.node {
        return Err(Failure::no_object());
    }
    Ok(call.environment().access.attempts())
}

fn object(protocol: LoginProtocol, tried: Tried) -> Value {
    json!({
        "protocol": protocol.as_str(),
        "auth_attempts": tried.succeeded.saturating_add(tried.failed),
        "auth_attempts_failed": tried.failed,
        "auth_attempts_succeeded": tried.succeeded,
    })
}
