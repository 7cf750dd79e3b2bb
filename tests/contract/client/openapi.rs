//! The OpenAPI document, held against what it is to be and against what is answered.

use std::path::Path;
use std::process::Command;

use leveret_contract::{Amqp, Done, House};

use crate::waited::waited;

#[test]
fn the_document_is_valid_and_what_is_answered_fits_it() {
    let House { broker, api } = House::new();
    api.declare_classic_queue("/", "q").done();
    let mut amqp = Amqp::open(&broker, "guest", "c");
    amqp.publish("q", b"x");
    amqp.consume("q", "tag");
    waited("a connection", || api.list_connections().ok().filter(|all| all.len() == 1));
    let python = std::env::var_os("OPENAPI_PYTHON").expect("OPENAPI_PYTHON: tests/contract/run sets it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.py");
    let url = format!("http://127.0.0.1:{}", broker.management);
    let ended = Command::new(python).arg(script).arg(url).output().expect("Python runs");
    let told =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{told}");
}
