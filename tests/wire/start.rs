//! The process itself.

use std::net::TcpStream;

use crate::support::Broker;

#[test]
fn a_broker_that_says_it_is_ready_accepts_connections() {
    let broker = Broker::start();
    TcpStream::connect(broker.addr()).unwrap();
}
