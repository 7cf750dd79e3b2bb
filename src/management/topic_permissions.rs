//! With which keys of topic exchanges users may publish and bind.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::fields::text;
use super::listing::whole;
use super::permissions::known;
use super::users;
use crate::access::TopicEntry;
use crate::auth::TopicPermission;
use crate::name::{UserName, VhostName};

/// `GET /api/topic-permissions`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    Ok(answer(call, call.environment().access.topic_permissions()))
}

/// `GET /api/vhosts/{vhost}/topic-permissions`
pub(super) fn of_vhost(call: &Call) -> Result<Answer, Failure> {
    let vhost = call.vhost()?;
    let mut entries = call.environment().access.topic_permissions();
    entries.retain(|entry| entry.vhost == *vhost.name());
    Ok(answer(call, entries))
}

/// `GET /api/users/{user}/topic-permissions`
pub(super) fn of_user(call: &Call) -> Result<Answer, Failure> {
    let user = users::named(call)?;
    let mut entries = call.environment().access.topic_permissions();
    entries.retain(|entry| entry.user == user.name);
    Ok(answer(call, entries))
}

fn answer(call: &Call, entries: Vec<TopicEntry>) -> Answer {
    whole(call, entries, |entry| Some(object(entry)))
}

fn object(entry: &TopicEntry) -> Value {
    json!({
        "user": entry.user.as_str(),
        "vhost": entry.vhost.as_str(),
        "exchange": entry.topic.exchange.as_str(),
        "write": entry.topic.write.as_str(),
        "read": entry.topic.read.as_str(),
    })
}

/// Those that the path names; 404 when there is none.
fn named(call: &Call) -> Result<Vec<TopicEntry>, Failure> {
    let (vhost, user) = (call.part("vhost"), call.part("user"));
    let exchange = call.find("exchange");
    let mut entries = call.environment().access.topic_permissions();
    entries.retain(|entry| {
        entry.user.as_str() == user
            && entry.vhost.as_str() == vhost
            && exchange.is_none_or(|exchange| entry.topic.exchange.as_str() == exchange)
    });
    if entries.is_empty() { Err(Failure::no_object()) } else { Ok(entries) }
}

/// `GET /api/topic-permissions/{vhost}/{user}` and `.../{exchange}`
pub(super) fn show(call: &Call) -> Result<Answer, Failure> {
    Ok(answer(call, named(call)?))
}

/// `PUT /api/topic-permissions/{vhost}/{user}`
pub(super) fn put(call: &Call) -> Result<Answer, Failure> {
    let object = call.object_with(&["exchange", "write", "read"])?;
    let field =
        |name| text(&object, name)?.ok_or_else(|| Failure::bad_request(format!("{name} must be a string")));
    let (exchange, write, read) = (field("exchange")?, field("write")?, field("read")?);
    let (user, vhost) = (call.part("user"), call.part("vhost"));
    let topic =
        TopicPermission::parse(&UserName::from(user), &VhostName::from(vhost), exchange.into(), write, read);
    let topic = topic.map_err(|invalid| Failure::bad_request(invalid.to_string()))?;
    known(call)?;
    // RabbitMQ says so of a user that has none in the virtual host yet, whatever the exchange.
    let is_new = named(call).is_err();
    call.changed(call.environment().set_topic_permission(user, vhost, topic))?;
    Ok(Answer::put(is_new))
}

/// `DELETE /api/topic-permissions/{vhost}/{user}` and `.../{exchange}`
pub(super) fn delete(call: &Call) -> Result<Answer, Failure> {
    named(call)?;
    let exchange = call.find("exchange");
    let (user, vhost) = (call.part("user"), call.part("vhost"));
    call.changed(call.environment().clear_topic_permissions(user, vhost, exchange))?;
    Ok(Answer::NoContent)
}
