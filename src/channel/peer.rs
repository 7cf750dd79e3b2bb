//! What a channel can say to its client. The connection turns it into frames.

use leveret_protocol::method::Method;

use crate::message::Message;

/// The client at the other end of a connection.
pub trait Peer {
    /// Sends a method.
    fn method(&mut self, channel: u16, method: Method<'_>);

    /// Sends a method with the content of a message (`basic.return`, `basic.get-ok`), whose properties are told as these.
    fn content(&mut self, channel: u16, method: Method<'_>, message: &Message, properties: &[u8]);

    /// Sends `basic.deliver` with its content, its properties as these.
    fn deliver(
        &mut self,
        channel: u16,
        consumer_tag: &str,
        delivery_tag: u64,
        redelivered: bool,
        message: &Message,
        properties: &[u8],
    );
}
