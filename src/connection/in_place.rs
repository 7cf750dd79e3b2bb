//! A content that stands in one read becomes a message without a copy.

use bytes::Bytes;
use leveret_protocol::properties::Properties;

use crate::message::{Message, Noted, Parts};
use crate::time::Time;

/// A message that is larger is copied out of the read buffer at once, so that it does not pin it, in bytes.
const OWN_BYTES_FROM: usize = crate::queue::ready::PACKED_MAX_BYTES;

/// A message of bytes that stand in one read: from the address to the end of the body, framing in between.
pub(super) fn message_in_place(
    chunk: &Bytes,
    address: &[u8],
    properties: Properties<'_>,
    body: &[u8],
) -> Option<Message> {
    let persistent = properties.is_persistent();
    let properties = properties.as_bytes();
    let offset = |part: &[u8]| (part.as_ptr() as usize).checked_sub(chunk.as_ptr() as usize);
    let start = offset(address)?;
    let properties_at = offset(properties)?.checked_sub(start)?;
    let body_at = if body.is_empty() {
        properties_at.checked_add(properties.len())?
    } else {
        offset(body)?.checked_sub(start)?
    };
    let end = start.checked_add(body_at)?.checked_add(body.len())?;
    let parts = Parts {
        address_len: u16::try_from(address.len()).ok()?,
        properties_at: u32::try_from(properties_at).ok()?,
        properties_len: u32::try_from(properties.len()).ok()?,
        body_at: u32::try_from(body_at).ok()?,
        persistent,
        noted: Noted::Nothing,
        arrived: Time::default(),
    };
    if body.len() > OWN_BYTES_FROM {
        return Some(Message::within(chunk, start..end, parts)?.detached());
    }
    Message::within(chunk, start..end, parts)
}
