//! The delayed message exchange: one of another type, by which it routes messages when they are due.
//!
//! That a message is not due yet is found out before it is routed, by whoever keeps it until then; here is only how it is
//! routed once it is.

use leveret_protocol::table::{Table, Value};

use super::binding::{Binding, InvalidBinding};
use super::direct::Direct;
use super::exchange_type::ExchangeType;
use super::options::InvalidExchange;
use super::router::{Routable, Router, Target};
use crate::message::Message;

const TYPE: &str = "x-delayed-type";

/// A router of the type that the arguments say.
pub(super) struct Delayed<T>(Box<dyn Router<T>>);

impl<T: Target> Default for Delayed<T> {
    fn default() -> Self {
        Self(Box::<Direct<T>>::default())
    }
}

/// The type by which a delayed message exchange with these arguments routes, which can have them itself.
pub(super) fn delayed_type(arguments: Table<'_>) -> Result<ExchangeType, InvalidExchange> {
    let Some(Value::LongStr(name)) = arguments.get(TYPE) else { return Err(InvalidExchange::DelayedType) };
    let name = String::from_utf8_lossy(name);
    match ExchangeType::parse(&name) {
        None => Err(InvalidExchange::UnknownType(name.into_owned())),
        // The plugin never comes back from that.
        Some(ExchangeType::DelayedMessage) => Err(InvalidExchange::DelayedType),
        Some(exchange_type) => exchange_type.check(arguments).map(|()| exchange_type),
    }
}

impl<T: Target> Router<T> for Delayed<T> {
    fn declared(&mut self, arguments: Table<'_>) {
        if let Ok(exchange_type) = delayed_type(arguments) {
            self.0 = exchange_type.router();
            self.0.declared(arguments);
        }
    }

    fn bind(&mut self, binding: &Binding<T>) -> Result<(), InvalidBinding> {
        self.0.bind(binding)
    }

    fn unbind(&mut self, binding: &Binding<T>) {
        self.0.unbind(binding);
    }

    fn route(&self, message: &Routable<'_>, found: &mut dyn FnMut(&T)) {
        self.0.route(message, found);
    }

    fn holds_for_the_key(&self) -> bool {
        // What else is said of when it is due.
        false
    }

    fn keep(&mut self, message: &Routable<'_>) {
        self.0.keep(message);
    }

    fn history(&self) -> Vec<Message> {
        self.0.history()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use leveret_protocol::table::{TableBuf, TableBuilder};

    use super::*;
    use crate::exchange::{ExchangeOptions, Routes};

    fn of_type(name: &str) -> TableBuf {
        TableBuilder::new().string(TYPE, name).finish()
    }

    #[test]
    fn the_type_must_exist_and_be_another_one() {
        const NONE: &str = "Invalid argument, 'x-delayed-type' must be an existing exchange type";
        for (arguments, expected) in [
            (of_type("direct"), Ok(ExchangeType::Direct)),
            (of_type("x-consistent-hash"), Ok(ExchangeType::ConsistentHash)),
            (of_type("nope"), Err("unknown exchange type 'nope'")),
            (of_type("x-delayed-message"), Err(NONE)),
            (TableBuf::default(), Err(NONE)),
            (TableBuilder::new().int(TYPE, 5).finish(), Err(NONE)),
            (
                TableBuilder::new()
                    .string(TYPE, "x-consistent-hash")
                    .string("hash-property", "nope")
                    .finish(),
                Err("Unsupported property: nope"),
            ),
        ] {
            let found = delayed_type(arguments.as_table()).map_err(|invalid| invalid.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{arguments:?}");
            let declared = ExchangeOptions::parse("x-delayed-message", arguments.as_table());
            assert_eq!(declared.is_ok(), expected.is_ok(), "{arguments:?}");
        }
    }

    #[test]
    fn it_routes_as_the_type_does_that_it_was_declared_with() {
        for (name, expected) in
            [("direct", &["q1"][..]), ("fanout", &["q1", "q2", "q3"]), ("topic", &["q1", "q3"])]
        {
            let mut routes = Routes::declared(ExchangeType::DelayedMessage, of_type(name).as_table());
            for (target, key) in [("q1", "a.b"), ("q2", "a"), ("q3", "a.*")] {
                routes.bind(target, key, Table::EMPTY).unwrap().unwrap();
            }
            let mut found = BTreeSet::new();
            routes.route(&Routable::with_key("a.b"), &mut |target| {
                found.insert(*target);
            });
            assert_eq!(found, expected.iter().copied().collect(), "{name}");
            assert!(!routes.holds_for_the_key());
        }
    }
}
