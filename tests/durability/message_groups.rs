//! Message groups over restarts: nothing of who holds what is kept, and nothing needs to be.

use crate::lives::{Death, Lives, Script as _};
use crate::support::{Properties, Raw, Table, method};

/// Takes messages without settling them until there is none to be had.
fn take(raw: &mut Raw) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        raw.send(1, method::basic_get("q", false));
        let frame = raw.recv();
        if frame.method() == Some(method::BASIC_GET_EMPTY) {
            return taken;
        }
        taken.push(String::from_utf8(raw.message(&frame, false).body).unwrap());
    }
}

#[test]
fn after_a_restart_all_groups_are_free_and_go_on_in_order() {
    for death in [Death::Stop, Death::Kill] {
        let mut lives = Lives::new(&[]);
        let mut raw = lives.connect();
        let arguments = Table::new().text("x-message-group", "group");
        raw.call(method::queue_declare("q", method::DURABLE, &arguments));
        raw.call(method::confirm_select());
        let publish = |raw: &mut Raw, body: &str| {
            let headers = match &body[..1] {
                "-" => Table::new(),
                group => Table::new().text("group", group),
            };
            let properties = Properties::new().headers(&headers).delivery_mode(2);
            raw.publish(1, "", "q", &properties, body.as_bytes());
            raw.expect(1, method::BASIC_ACK);
        };
        for body in ["a1", "a2", "b1", "-1", "a3", "b2", "c1", "b3"] {
            publish(&mut raw, body);
        }
        assert_eq!(take(&mut raw), ["a1", "b1", "-1", "c1"], "{death:?}");
        // The first and the last of these are done; what is confirmed after that was written after it.
        raw.send(1, method::basic_ack(1, false));
        raw.send(1, method::basic_ack(4, false));
        publish(&mut raw, "c2");
        assert_eq!(take(&mut raw), ["a2", "c2"], "{death:?}");
        lives.again(death);
        raw = lives.connect();
        assert_eq!(raw.message_count(1, "q"), 7, "{death:?}");
        assert_eq!(take(&mut raw), ["a2", "b1", "-1", "c2"], "{death:?}");
        raw.send(1, method::basic_ack(4, true));
        assert_eq!(take(&mut raw), ["a3", "b2"], "{death:?}");
        raw.send(1, method::basic_ack(6, true));
        assert_eq!(take(&mut raw), ["b3"], "{death:?}");
    }
}
