//! Health checks.

use leveret_contract::{Done, House};
use rabbitmq_http_client::commons::SupportedProtocol;

#[test]
fn a_broker_that_serves_is_well() {
    let House { broker, api } = House::new();
    api.health_check_cluster_wide_alarms().done();
    api.health_check_local_alarms().done();
    api.health_check_if_node_is_quorum_critical().done();
    api.health_check_port_listener(broker.amqp).done();
    api.health_check_port_listener(broker.management).done();
    api.health_check_protocol_listener(SupportedProtocol::AMQP).done();
    api.health_check_protocol_listener(SupportedProtocol::HTTP).done();
}

#[test]
fn a_listener_that_is_not_there_is_told_as_the_client_expects_it() {
    let House { api, broker: _broker } = House::new();
    let failed = api.health_check_port_listener(1).unwrap_err();
    assert!(
        matches!(failed, rabbitmq_http_client::blocking_api::HttpClientError::HealthCheckFailed { .. }),
        "{failed:?}"
    );
    let failed = api.health_check_protocol_listener(SupportedProtocol::MQTT).unwrap_err();
    assert!(
        matches!(failed, rabbitmq_http_client::blocking_api::HttpClientError::HealthCheckFailed { .. }),
        "{failed:?}"
    );
}
