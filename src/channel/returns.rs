//! What a client is told of how often a message came back: the headers `x-delivery-count` and `x-acquired-count`.

use leveret_protocol::table::TableBuilder;

use crate::message::Message;
use crate::store::stored::Returns;

const DELIVERY_COUNT: &str = "x-delivery-count";
const ACQUIRED_COUNT: &str = "x-acquired-count";

/// The properties of a message that has come back: with its counts in the headers, those that are not zero. What a
/// publisher wrote in their place is not told.
pub(super) fn properties_with(returns: Returns, message: &Message) -> Vec<u8> {
    let properties = message.properties();
    let headers = properties.headers().unwrap_or_default();
    let mut table =
        TableBuilder::new().entries_where(headers, |name| name != DELIVERY_COUNT && name != ACQUIRED_COUNT);
    for (name, count) in [(DELIVERY_COUNT, returns.deliveries), (ACQUIRED_COUNT, returns.acquired)] {
        if count > 0 {
            table = table.long(name, count.into());
        }
    }
    properties.with_headers(table.finish().as_table())
}

#[cfg(test)]
mod tests {
    use leveret_protocol::properties::Properties;
    use leveret_protocol::table::TableBuf;

    use super::*;

    fn told(own: TableBuilder, deliveries: u32, acquired: u32) -> TableBuf {
        let properties = Properties::EMPTY.with_headers(own.finish().as_table());
        let message = Message::compose("", "q", &properties, b"body").unwrap();
        let returns = Returns { acquired, deliveries, ..Returns::default() };
        let told = properties_with(returns, &message);
        Properties::parse(&told).unwrap().headers().unwrap().to_owned()
    }

    #[test]
    fn counts_that_are_not_zero_stand_behind_the_headers_of_the_publisher() {
        let own = || TableBuilder::new().string("a", "b").int("x-delivery-count", 99).bool("c", true);
        let kept = || TableBuilder::new().string("a", "b").bool("c", true);
        for (deliveries, acquired, expected) in [
            (1, 1, kept().long("x-delivery-count", 1).long("x-acquired-count", 1)),
            (0, 2, kept().long("x-acquired-count", 2)),
            (2, 5, kept().long("x-delivery-count", 2).long("x-acquired-count", 5)),
        ] {
            assert_eq!(told(own(), deliveries, acquired), expected.finish(), "{deliveries} {acquired}");
        }
        let without = Message::compose("", "q", &[0, 0], b"body").unwrap();
        let told = properties_with(Returns { acquired: 1, ..Returns::default() }, &without);
        let expected = TableBuilder::new().long("x-acquired-count", 1).finish();
        assert_eq!(Properties::parse(&told).unwrap().headers(), Some(expected.as_table()));
    }
}
