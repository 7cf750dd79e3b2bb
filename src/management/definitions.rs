//! Definitions: export and import.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::multipart;
use crate::definitions::{Document, Export, Import, Mode, Report, Scope};
use crate::vhost::registry::NoSuchVhost;

/// `GET /api/definitions`
pub(super) fn export(call: &Call) -> Result<Answer, Failure> {
    let (environment, cluster_name) = (call.environment(), call.cluster_name());
    let export = Export { environment, cluster_name: &cluster_name };
    Ok(Answer::Document(export.broker(), file_name(call)))
}

/// `GET /api/definitions/{vhost}`
pub(super) fn export_vhost(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost().map_err(|_| Failure::bad_request("vhost_not_found"))?;
    let (environment, cluster_name) = (call.environment(), call.cluster_name());
    let export = Export { environment, cluster_name: &cluster_name };
    Ok(Answer::Document(export.vhost(&vhost), file_name(call)))
}

/// What a browser is to call it that keeps it: a token of HTTP.
fn file_name(call: &Call) -> Option<String> {
    let name = call.query.get("download")?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    (!name.is_empty() && name.chars().all(is_token)).then(|| name.to_owned())
}

/// `POST /api/definitions`
pub(super) fn import(call: &Call) -> Result<Answer, Failure> {
    applied(call, Scope::Broker)
}

/// `POST /api/definitions/{vhost}`
pub(super) fn import_vhost(call: &Call) -> Result<Answer, Failure> {
    let scope = scope(call).map_err(|_| Failure::not_found("vhost_not_found"))?;
    applied(call, scope)
}

/// `POST /api/leveret/definitions`: the same, and tells what was done, or with `dry_run` what would be.
pub(super) fn import_and_tell(call: &Call) -> Result<Answer, Failure> {
    told(call, Scope::Broker)
}

/// `POST /api/leveret/definitions/{vhost}`
pub(super) fn import_vhost_and_tell(call: &Call) -> Result<Answer, Failure> {
    let scope = scope(call).map_err(|_| Failure::not_found("vhost_not_found"))?;
    told(call, scope)
}

fn scope(call: &Call) -> Result<Scope, NoSuchVhost> {
    let vhost = call.environment().vhosts.get(call.part("vhost"));
    vhost.map(|vhost| Scope::Vhost(vhost.name().clone())).ok_or(NoSuchVhost)
}

fn applied(call: &Call, scope: Scope) -> Result<Answer, Failure> {
    let (text, redirect) = sent(call)?;
    let report = imported(call, &document(&text, scope)?, Mode::Apply)?;
    if let Some(mistake) = report.mistakes().first() {
        return Err(Failure::bad_request(mistake.to_string()));
    }
    Ok(redirect.map_or(Answer::NoContent, Answer::SeeOther))
}

fn told(call: &Call, scope: Scope) -> Result<Answer, Failure> {
    let (text, _) = sent(call)?;
    let document = document(&text, scope)?;
    if call.query.is_true("dry_run") {
        return Ok(Answer::Json(imported(call, &document, Mode::Try)?.json()));
    }
    let report = imported(call, &document, Mode::ApplyAndTell)?;
    let told = report.json();
    match report.mistakes().first() {
        None => Ok(Answer::Json(told)),
        Some(mistake) => {
            let mut failure = Failure::bad_request(mistake.to_string());
            if let (Some(body), Value::Object(told)) = (failure.body.as_object_mut(), told) {
                body.extend(told);
            }
            Err(failure)
        }
    }
}

fn document(text: &[u8], scope: Scope) -> Result<Document, Failure> {
    Document::parse(text, scope).map_err(|unreadable| {
        let detail = unreadable.to_string();
        let body = json!({ "error": "bad_request", "reason": "failed_to_parse_json", "detail": detail });
        Failure::with_body(StatusCode::BAD_REQUEST, body)
    })
}

/// What was sent: as it is or as the file of a form, which may say where to go from there.
fn sent(call: &Call) -> Result<(Cow<'_, [u8]>, Option<String>), Failure> {
    let Some(boundary) = call.content_type.as_deref().and_then(multipart::boundary) else {
        return Ok((Cow::Borrowed(&call.body), None));
    };
    let parts = multipart::parts(&call.body, boundary);
    let parts = parts.ok_or_else(|| Failure::bad_request("The form cannot be read"))?;
    let part = |name: &str| parts.iter().find(|part| part.name == name).map(|part| part.content);
    let file = part("file").ok_or_else(|| Failure::bad_request("The form has no file"))?;
    let redirect = part("redirect").and_then(|place| str::from_utf8(place).ok());
    // Not to somebody else's pages.
    let is_ours = |place: &&str| !place.contains(':') && !place.starts_with("//") && !place.contains('\\');
    Ok((Cow::Borrowed(file), redirect.filter(is_ours).map(str::to_owned)))
}

/// Imports, waits for the disk and says in the log what came of it.
fn imported(call: &Call, document: &Document, mode: Mode) -> Result<Report, Failure> {
    let user = call.user()?.name.as_str();
    let import = Import { environment: call.environment(), user: Some(user), mode };
    let (report, until) = import.of(document);
    if mode == Mode::Try {
        return Ok(report);
    }
    for remark in report.remarks().iter().take(REMARKS_MAX) {
        tracing::warn!("definitions imported by '{}': {remark}", user.escape_debug());
    }
    let user = user.escape_debug();
    if let Some(mistake) = report.mistakes().first() {
        tracing::error!("definitions imported by '{user}' end at a mistake: {mistake}");
    } else {
        tracing::info!("definitions are imported by '{user}': {} objects made or changed", report.applied());
    }
    call.wait(until)?;
    Ok(report)
}

/// So many remarks are written to the log; all of them are told where they are asked for.
const REMARKS_MAX: usize = 100;
