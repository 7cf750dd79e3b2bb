//! Sockets: listening, admitting, and the threads that serve connections. Knows nothing of AMQP.

mod admission;
mod descriptors;
mod host;
mod inherited;
mod keepalive;
mod listener;
mod local_socket;
mod proxy_protocol;
mod socket;
mod tls;
mod workers;

pub use admission::{Admission, Permit};
pub use descriptors::{
    connections_with, max_connections, open_descriptors, open_segments, raise_descriptor_limit,
};
pub use host::{host_name, name_node, node_name};
pub use inherited::{Passed, inherited_listeners};
pub use keepalive::{is_hung_up, watch_without_heartbeats};
pub use listener::{Accepted, Bound, Listener, Open, Transport};
pub use local_socket::{
    LocalListener, LocalPeer, SOCKET_MODE, runtime_socket_path, socket_path, socket_path_inside,
};
pub use proxy_protocol::{Header, Malformed, NoHeader, read_header};
pub use socket::Socket;
pub use tls::{
    Certificate, CurrentTls, Encryption, InvalidCertificate, Secured, TlsError, TlsServer, cipher_suites,
    tls_versions,
};
pub use workers::Workers;
