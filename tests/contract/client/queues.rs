//! Queues.

use leveret_contract::{Amqp, Done, House};
use rabbitmq_http_client::commons::PaginationParams;
use rabbitmq_http_client::requests::{QueueParams, XArgumentsBuilder};

use crate::waited::waited;

#[test]
fn queues_are_declared_seen_and_deleted() {
    let House { api, broker: _broker } = House::new();
    api.declare_classic_queue("/", "classic").done();
    api.declare_quorum_queue("/", "quorum").done();
    let arguments =
        XArgumentsBuilder::new().message_ttl(60_000).max_length(10).dead_letter_exchange("d").build();
    api.declare_queue("/", &QueueParams::new_durable_classic_queue("limited", arguments)).done();
    api.declare_queue("/", &QueueParams::new_transient_autodelete("temporary", None)).done();
    let limited = api.get_queue_info("/", "limited").done();
    assert!(limited.durable && !limited.auto_delete && !limited.exclusive, "{limited:?}");
    assert_eq!(limited.arguments.get("x-max-length"), Some(&10.into()));
    assert_eq!((limited.state.as_str(), limited.queue_type.as_str()), ("running", "classic"));
    assert_eq!(limited.node, api.overview().done().node);
    assert!(limited.effective_policy_definition.is_some());
    assert_eq!(api.get_queue_info("/", "quorum").done().queue_type, "quorum");
    assert_eq!(api.list_queues().done().len(), 4);
    assert_eq!(api.list_queues_in("/").done().len(), 4);
    assert_eq!(api.list_queues_paged(&PaginationParams::new(2, 3)).done().len(), 1);
    assert_eq!(api.list_queues_in_paged("/", &PaginationParams::new(1, 3)).done().len(), 3);
    assert_eq!(api.list_quorum_queues().done().len(), 1);
    assert_eq!(api.list_quorum_queues_in("/").done().len(), 1);
    assert_eq!(api.list_classic_queues().done().len(), 3);
    assert_eq!(api.list_classic_queues_in("/").done().len(), 3);
    api.delete_queue("/", "classic", false).done();
    assert!(api.delete_queue("/", "classic", false).is_err());
    api.delete_queues("/", &["classic", "quorum"], true).done();
    assert!(api.get_queue_info("/", "quorum").is_err());
    api.rebalance_queue_leaders().done();
}

#[test]
fn what_is_in_a_queue_is_counted_and_purged() {
    let House { broker, api } = House::new();
    api.declare_classic_queue("/", "q").done();
    let mut amqp = Amqp::open(&broker, "guest", "counted");
    for _ in 0..30 {
        amqp.publish("q", b"0123456789");
    }
    let queue = api.get_queue_info("/", "q").done();
    assert_eq!((queue.message_count, queue.unacknowledged_message_count), (30, 0));
    amqp.consume("q", "tag");
    let queue = waited("ten unacknowledged", || {
        api.get_queue_info("/", "q").ok().filter(|queue| queue.unacknowledged_message_count == 10)
    });
    assert_eq!((queue.message_count, queue.consumer_count), (30, 1));
    assert_eq!(
        (queue.message_bytes, queue.message_bytes_ready, queue.message_bytes_unacknowledged),
        (300, 200, 100)
    );
    assert_eq!(queue.message_bytes_persistent, 300);
    assert!(queue.in_memory_message_count <= 30 && queue.memory > 0, "{queue:?}");
    let detailed = api.list_queues_with_details().done();
    assert_eq!((detailed.len(), detailed[0].message_count), (1, 30));
    api.purge_queue("/", "q").done();
    assert_eq!(api.get_queue_info("/", "q").done().message_count, 10);
}
