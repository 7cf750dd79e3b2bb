//! What RabbitMQ has in plugins that are not enabled is answered as it does without them.

use leveret_contract::{Done, House};
use rabbitmq_http_client::blocking_api::HttpClientError;
use rabbitmq_http_client::requests::StreamParams;

#[track_caller]
fn not_found<T: std::fmt::Debug>(answer: Result<T, HttpClientError>) {
    let failed = answer.unwrap_err();
    assert!(matches!(failed, HttpClientError::NotFound), "{failed:?}");
}

#[test]
fn shovels_federation_links_and_stream_connections_are_nowhere() {
    let House { api, broker: _broker } = House::new();
    not_found(api.list_shovels());
    not_found(api.list_shovels_in("/"));
    not_found(api.list_federation_links());
    not_found(api.list_stream_connections());
    not_found(api.list_stream_connections_in("/"));
    not_found(api.get_stream_connection_info("/", "c"));
    not_found(api.list_stream_publishers());
    not_found(api.list_stream_publishers_in("/"));
    not_found(api.list_stream_publishers_of("/", "s"));
    not_found(api.list_stream_publishers_on_connection("/", "c"));
    not_found(api.list_stream_consumers());
    not_found(api.list_stream_consumers_in("/"));
    not_found(api.list_stream_consumers_on_connection("/", "c"));
}

#[test]
fn a_stream_cannot_be_declared_and_there_is_none() {
    let House { api, broker: _broker } = House::new();
    let stream = StreamParams {
        name: "s",
        expiration: "1D",
        max_length_bytes: None,
        max_segment_length_bytes: None,
        arguments: None,
    };
    assert!(api.declare_stream("/", &stream).is_err());
    not_found(api.get_stream_info("/", "s"));
    not_found(api.delete_stream("/", "s", false));
    assert!(api.list_streams().done().is_empty());
    assert!(api.list_streams_in("/").done().is_empty());
    let page = rabbitmq_http_client::commons::PaginationParams::new(1, 10);
    assert!(api.list_streams_paged(&page).done().is_empty());
    assert!(api.list_streams_in_paged("/", &page).done().is_empty());
}
