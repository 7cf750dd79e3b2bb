//! What is listed of clients that are there.

use crate::shell::Shell;
use crate::support::{Raw, Table, method};

#[test]
fn connections_channels_and_consumers_are_listed_and_connections_closed_with_words_for_their_clients() {
    let mut shell = Shell::new();
    let mut raw = Raw::connect(&shell.broker);
    raw.open_channel(1);
    raw.declare(1, "orders", 0, &Table::new());
    raw.send(1, method::basic_consume("orders", "mine", 0, &Table::new()));
    // It is answered that there is a consumer.
    raw.recv();
    let listed = shell.run("leveret connections ls -o json");
    let listed: serde_json::Value = serde_json::from_str(&listed.output).unwrap();
    let name = listed[0]["name"].as_str().unwrap().to_owned();
    shell.set("CONNECTION", &name);
    shell.follow("connections");
}
