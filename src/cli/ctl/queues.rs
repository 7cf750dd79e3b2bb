//! What is done to queues and connections.

use std::time::Duration;

use serde_json::{Value, json};

use super::desk::Desk;
use super::field::Field;
use super::listing::connection_pid;
use super::output::Found;
use super::trouble::Trouble;
use crate::cli::client::{Request, path, query};
use crate::cli::exit;

type Done = Result<Found, Trouble>;

pub(super) fn purge_queue(desk: &mut Desk) -> Done {
    let (queue, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    desk.say(&format!("Purging queue '{queue}' in vhost '{vhost}' ..."))?;
    let absent = Trouble::unavailable("not_found");
    desk.delete(&["queues", &vhost, &queue, "contents"]).map_err(|trouble| trouble.or_absent(absent))?;
    Ok(Found::Nothing)
}

pub(super) fn delete_queue(desk: &mut Desk) -> Done {
    let (queue, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    let conditions = match (desk.has("if-empty"), desk.has("if-unused")) {
        (true, true) => " if queue is empty and if queue is unused",
        (true, false) => " if queue is empty",
        (false, true) => " if queue is unused",
        (false, false) => "",
    };
    desk.say(&format!("Deleting queue '{queue}' on vhost '{vhost}'{conditions} ..."))?;
    let absent = || Trouble::new(exit::USAGE, "Queue not found");
    let found = desk.get(&["queues", &vhost, &queue]).map_err(|trouble| trouble.or_absent(absent()))?;
    let asked = ["if-empty", "if-unused"].into_iter().filter(|name| desk.has(name));
    let asked: Vec<(&str, &str)> = asked.map(|name| (name, "true")).collect();
    let request = Request::delete(query(&path(&["queues", &vhost, &queue]), &asked));
    desk.ask(&request).map_err(|trouble| trouble.or_absent(absent()))?;
    let ready = found.of("messages_ready");
    Ok(Found::Text(format!("Queue was successfully deleted with {ready} ready messages\n"), None))
}

/// Closes a connection; says why to whoever is closed.
fn close(desk: &mut Desk, connection: &Value, reason: &str) -> Result<(), Trouble> {
    let name = connection.of("name").as_str().unwrap_or_default();
    // What a header cannot hold is left out.
    let reason: String = reason.chars().filter(|c| c.is_ascii() && !c.is_control()).collect();
    let request = Request::delete(path(&["connections", name])).with_header("x-reason", reason);
    match desk.ask(&request) {
        Err(trouble) if !trouble.is_absence() => Err(trouble),
        // Or it went by itself.
        _ => Ok(()),
    }
}

pub(super) fn close_connection(desk: &mut Desk) -> Done {
    let (pid, reason) = (desk.argument(0).to_owned(), desk.argument(1).to_owned());
    desk.say(&format!("Closing connection {pid}, reason: {reason}..."))?;
    let connections = desk.list(&["connections"])?;
    let is_meant = |connection: &&Value| {
        connection_pid(connection) == json!(pid) || connection.of("name").as_str() == Some(&pid)
    };
    let Some(connection) = connections.iter().find(is_meant) else {
        return Err(Trouble::unavailable(format!(
            "there is no connection {pid}: see 'rabbitmqctl list_connections pid name'"
        )));
    };
    close(desk, connection, &reason)?;
    Ok(Found::Nothing)
}

/// Closes those that are meant, with a pause after each, and no more than so many, where that is asked for.
fn close_those(desk: &mut Desk, reason: &str, is_meant: impl Fn(&Value) -> bool) -> Result<usize, Trouble> {
    let number = |name: &str| -> Result<Option<u64>, Trouble> {
        let read =
            |text: &str| text.parse().map_err(|_| Trouble::usage(format!("--{name} takes a whole number")));
        desk.value(name).map(read).transpose()
    };
    let limit = number("limit")?.filter(|limit| *limit > 0).and_then(|limit| usize::try_from(limit).ok());
    let pause = Duration::from_millis(number("per-connection-delay")?.unwrap_or(0));
    let connections = desk.list(&["connections"])?;
    let meant = connections.iter().filter(|connection| is_meant(connection));
    let mut closed = 0;
    for connection in meant.take(limit.unwrap_or(usize::MAX)) {
        close(desk, connection, reason)?;
        closed += 1;
        std::thread::sleep(pause);
    }
    Ok(closed)
}

pub(super) fn close_all_connections(desk: &mut Desk) -> Done {
    let (vhost, reason) = (desk.vhost(), desk.argument(0).to_owned());
    let everywhere = desk.has("global");
    let place = if everywhere { "all vhosts".to_owned() } else { format!("vhost {vhost}") };
    desk.say(&format!("Closing all connections in {place}, reason: {reason}..."))?;
    let closed = close_those(desk, &reason, |connection| {
        everywhere || connection.of("vhost").as_str() == Some(&vhost)
    })?;
    Ok(Found::Text(format!("Closed {closed} connections\n"), None))
}

pub(super) fn close_all_user_connections(desk: &mut Desk) -> Done {
    let (user, reason) = (desk.argument(0).to_owned(), desk.argument(1).to_owned());
    desk.say(&format!("Closing connections of user {user}, reason: {reason}..."))?;
    let closed = close_those(desk, &reason, |connection| connection.of("user").as_str() == Some(&user))?;
    Ok(Found::Text(format!("Closed {closed} connections\n"), None))
}

/// A message of a queue, which stays there.
pub(super) fn peek(desk: &mut Desk) -> Done {
    let (queue, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    let place: usize = desk.argument(1).parse().unwrap_or(0);
    if !(1..=1000).contains(&place) {
        return Err(Trouble::usage("a position is a whole number from 1 to 1000"));
    }
    desk.say(&format!("Peeking at message {place} of queue '{queue}' in vhost '{vhost}' ..."))?;
    let messages = path(&["leveret", "queues", &vhost, &queue, "messages"]);
    let request = Request::get(query(&messages, &[("limit", &place.to_string())]));
    let absent = Trouble::unavailable("Target queue was not found in virtual host");
    let found = desk.ask(&request).map_err(|trouble| trouble.or_absent(absent))?;
    let Some(message) = found.of("messages").get(place - 1) else {
        return Err(Trouble::unavailable("No message at this position"));
    };
    let fields = message.as_object().into_iter().flatten();
    let lines: Vec<String> =
        fields.map(|(name, value)| format!("{name}\t{}\n", crate::cli::output::cell(value))).collect();
    Ok(Found::Text(lines.concat(), Some(message.clone())))
}

/// Where a queue of the type quorum is: on the one node that there is.
pub(super) fn quorum_status(desk: &mut Desk) -> Done {
    let (queue, vhost) = (desk.argument(0).to_owned(), desk.vhost());
    desk.say(&format!("Status of quorum queue {queue} ..."))?;
    let absent = Trouble::unavailable("not_found");
    let found = desk.get(&["queues", &vhost, &queue]).map_err(|trouble| trouble.or_absent(absent))?;
    if found.of("type").as_str() != Some("quorum") {
        return Err(Trouble::unavailable("the queue is a classic one: only quorum queues have replicas"));
    }
    let row = json!({ "Node Name": found.of("node"), "Raft State": "leader", "Membership": "voter" });
    Ok(Found::Rows(super::users::names(&["Node Name", "Raft State", "Membership"]), vec![row]))
}
