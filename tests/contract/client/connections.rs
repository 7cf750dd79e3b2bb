//! Connections, channels and consumers.

use leveret_contract::{Amqp, Done, House};
use rabbitmq_http_client::commons::PaginationParams;

use crate::waited::waited;

#[test]
fn a_connection_is_listed_with_its_client_and_closed_with_a_reason() {
    let House { broker, api } = House::new();
    let amqp = Amqp::open(&broker, "guest", "the client");
    let all = waited("a connection", || api.list_connections().ok().filter(|all| all.len() == 1));
    let of = &all[0];
    assert_eq!((of.username.as_str(), of.protocol.as_str()), ("guest", "AMQP 0-9-1"));
    assert_eq!((of.server_port, of.state.as_deref()), (Some(broker.amqp.into()), Some("running")));
    assert!(of.connected_at > 1_600_000_000_000, "{of:?}");
    assert_eq!(of.client_properties.connection_name, "the client");
    assert!(!of.client_properties.product.is_empty(), "{of:?}");
    let name = of.name.as_str();
    assert_eq!(api.get_connection_info(name).done().client_port, of.client_port);
    assert_eq!(
        waited("a channel", || api.get_connection_info(name).ok().filter(|of| of.channel_count == 1)).name,
        name
    );
    assert_eq!(api.list_connections_in("/").done().len(), 1);
    assert_eq!(api.list_connections_paged(&PaginationParams::new(1, 10)).done().len(), 1);
    let users = api.list_user_connections("guest").done();
    assert_eq!((users.len(), users[0].name.as_str(), users[0].vhost.as_str()), (1, name, "/"));
    assert_eq!(api.overview().done().object_totals.connections, 1);
    api.close_connection(name, Some("enough"), false).done();
    waited("the end of the connection", || (!amqp.is_open()).then_some(()));
    assert!(waited("an empty list", || api.list_connections().ok().filter(Vec::is_empty)).is_empty());
    assert!(api.close_connection(name, None, false).is_err());
    api.close_connection(name, None, true).done();
}

#[test]
fn all_connections_of_a_user_are_closed() {
    let House { broker, api } = House::new();
    let both = [Amqp::open(&broker, "guest", "a"), Amqp::open(&broker, "guest", "b")];
    api.close_user_connections("guest", Some("enough"), false).done();
    waited("the end of both", || both.iter().all(|amqp| !amqp.is_open()).then_some(()));
    api.close_user_connections("guest", None, true).done();
}

#[test]
fn a_channel_is_listed_with_what_it_owes() {
    let House { broker, api } = House::new();
    api.declare_classic_queue("/", "q").done();
    let mut amqp = Amqp::open(&broker, "guest", "c");
    for _ in 0..3 {
        amqp.publish("q", b"x");
    }
    amqp.consume("q", "tag");
    let all = waited("three unacknowledged", || {
        api.list_channels().ok().filter(|all| all.iter().any(|channel| channel.messages_unacknowledged == 3))
    });
    let channel = &all[0];
    assert_eq!((channel.id, channel.vhost.as_str(), channel.consumer_count), (1, "/", 1));
    assert!(channel.has_publisher_confirms_enabled);
    assert_eq!((channel.prefetch_count, channel.messages_unconfirmed), (10, 0));
    let connection = channel.connection_details.name.as_str();
    assert_eq!(channel.name, format!("{connection} (1)"));
    assert_eq!(api.get_channel_info(&channel.name).done().id, 1);
    assert_eq!(api.list_channels_on(connection).done().len(), 1);
    assert_eq!(api.list_channels_in("/").done().len(), 1);
    assert_eq!(api.list_channels_paged(&PaginationParams::new(1, 5)).done().len(), 1);
    assert_eq!(api.list_channels_in_paged("/", &PaginationParams::new(1, 5)).done().len(), 1);
}

#[test]
fn a_consumer_is_listed_with_its_queue_and_its_channel() {
    let House { broker, api } = House::new();
    api.declare_classic_queue("/", "q").done();
    let mut amqp = Amqp::open(&broker, "guest", "c");
    amqp.consume("q", "tag");
    let all = waited("a consumer", || api.list_consumers().ok().filter(|all| all.len() == 1));
    let consumer = &all[0];
    assert_eq!((consumer.consumer_tag.as_str(), consumer.prefetch_count), ("tag", 10));
    assert!(consumer.manual_ack && consumer.active && !consumer.exclusive);
    assert_eq!((consumer.queue.name.as_str(), consumer.queue.vhost.as_str()), ("q", "/"));
    assert_eq!(consumer.delivery_ack_timeout, 0, "none unless one is configured");
    assert_eq!(consumer.channel_details.as_ref().expect("a channel").id, 1);
    assert_eq!(api.list_consumers_in("/").done().len(), 1);
}
