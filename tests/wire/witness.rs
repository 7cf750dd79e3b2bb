//! Whatever one connection does, the others must not notice.

use crate::support::{Broker, Properties, Raw};

/// Runs a test against a broker of its own, and proves afterwards that a connection which was open all the
/// time still declares, publishes and gets, and that nothing in the broker panicked.
pub(crate) fn others_go_on(test: impl FnOnce(&Broker)) {
    others_go_on_with(&[], test);
}

/// The same with further command line arguments for the broker.
pub(crate) fn others_go_on_with(arguments: &[&str], test: impl FnOnce(&Broker)) {
    let broker = Broker::start_with(arguments);
    let mut witness = Raw::connect(&broker);
    witness.open_channel(1);
    test(&broker);
    let queue = witness.declare_own(1);
    witness.publish(1, "", &queue, &Properties::new(), b"still here");
    let message = witness.get(1, &queue).expect("the witness gets its message");
    assert_eq!(message.body, b"still here");
    if !broker.is_external() {
        let log = broker.log();
        assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    }
}
