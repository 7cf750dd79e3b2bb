//! AMQP 0-9-1 on the wire: bytes to methods, headers and bodies, and back.
//!
//! Sans-IO: no socket, clock, task or log. Both sides are here, the server's and the client's: [`decode`] reads
//! whatever a peer may send, [`encode`] writes it. Nothing is copied on the way in: names, tables, properties and
//! bodies are slices of the input, validated once. Nothing that a peer claims (a length, a nesting) costs memory or
//! stack before the bytes have come, and no input panics.
//!
//! It does not know which method makes sense when: states of connections and channels are the broker's.

pub mod decode;
pub mod encode;
mod error;
pub mod frame;
pub mod limits;
pub mod method;
pub mod properties;
pub mod reply_code;
pub mod table;
mod wire;

pub use decode::{Decoder, Event};
pub use error::{DecodeError, Fault};
pub use method::Method;
pub use properties::{Properties, PropertiesBuilder, PropertiesError};
pub use reply_code::ReplyCode;
pub use table::{Array, ArrayBuf, ArrayBuilder, Table, TableBuf, TableBuilder, TableError, Value};
