//! Feature flags and deprecated features.

use leveret_contract::{Done, House};
use rabbitmq_http_client::responses::FeatureFlagState;

#[test]
fn feature_flags_are_enabled_and_can_be_again() {
    let House { api, broker: _broker } = House::new();
    let flags = api.list_feature_flags().done().0;
    assert!(flags.iter().all(|flag| flag.state == FeatureFlagState::Enabled), "{flags:?}");
    for name in ["quorum_queue", "stream_queue"] {
        assert!(flags.iter().any(|flag| flag.name == name), "{name}");
        api.enable_feature_flag(name).done();
    }
    api.enable_all_stable_feature_flags().done();
    assert!(api.enable_feature_flag("nonsense").is_err());
}

#[test]
fn deprecated_features_are_listed() {
    let House { api, broker: _broker } = House::new();
    let all = api.list_all_deprecated_features().done().0;
    let used = api.list_deprecated_features_in_use().done().0;
    assert!(all.iter().any(|feature| feature.name == "transient_nonexcl_queues"), "{all:?}");
    assert!(used.len() <= all.len());
}
