//! Messages over HTTP.

use leveret_contract::{Done, House};
use serde_json::{Map, json};

#[test]
fn messages_are_published_and_got_with_what_they_carry() {
    let House { api, broker: _broker } = House::new();
    api.declare_classic_queue("/", "q").done();
    let properties = Map::from_iter([
        ("content_type".to_owned(), json!("text/plain")),
        ("headers".to_owned(), json!({ "n": 1, "list": [true, "x"] })),
        ("delivery_mode".to_owned(), json!(2)),
    ]);
    assert!(api.publish_message("/", "", "q", "hällo", properties).done().routed);
    assert!(!api.publish_message("/", "", "nobody", "x", Map::new()).done().routed);
    for (mode, redelivered, left) in
        [("ack_requeue_true", false, 1), ("reject_requeue_true", true, 1), ("ack_requeue_false", true, 0)]
    {
        let got = api.get_messages("/", "q", 5, mode).done();
        assert_eq!(got.len(), 1, "{mode}");
        assert_eq!((got[0].payload.as_str(), got[0].payload_bytes), ("hällo", 6));
        assert_eq!((got[0].exchange.as_str(), got[0].routing_key.as_str()), ("", "q"));
        assert_eq!((got[0].redelivered, got[0].message_count), (redelivered, 0), "{mode}");
        assert_eq!(got[0].payload_encoding, "string");
        let properties = &got[0].properties.0;
        assert_eq!(properties["headers"], json!({ "n": 1, "list": [true, "x"] }));
        assert_eq!(api.get_queue_info("/", "q").done().message_count, left, "{mode}");
    }
}
