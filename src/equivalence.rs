//! What it means that something is declared again as it is, and how RabbitMQ says that it is not.

use std::fmt;

use leveret_protocol::table::{Table, Value};

use crate::term::Term;

/// A queue or an exchange as RabbitMQ names it in its texts: `queue 'q' in vhost '/'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// `queue` or `exchange`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The virtual host that it is in.
    pub vhost: &'a str,
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in vhost '{}'", self.kind, self.name, self.vhost)
    }
}

/// The first thing in which a declaration differs from what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inequivalence {
    argument: &'static str,
    received: String,
    current: String,
}

impl Inequivalence {
    /// Compares a property, such as `durable`, or a type's name.
    pub fn of_property<P: PartialEq + fmt::Display + Copy>(
        argument: &'static str,
        received: P,
        current: P,
    ) -> Option<Self> {
        (received != current).then(|| Self {
            argument,
            received: format!("'{received}'"),
            current: format!("'{current}'"),
        })
    }

    /// Compares an argument of two tables. The widths of integers and floats do not matter, nor whether a string is
    /// text or binary; an absent `x-queue-type` is `classic`.
    pub fn of_argument(argument: &'static str, received: Table<'_>, current: Table<'_>) -> Option<Self> {
        let (received, current) = match (received.get(argument), current.get(argument)) {
            (None, None) => return None,
            (Some(received), Some(current)) if Term::from(received) == Term::from(current) => return None,
            (Some(received), Some(current)) => (bare(received), bare(current)),
            (None, Some(only)) | (Some(only), None) if is_default(argument, only) => return None,
            (received, current) => (typed(received), typed(current)),
        };
        Some(Self { argument, received, current })
    }

    /// The argument or property that differs.
    pub fn argument(&self) -> &'static str {
        self.argument
    }

    /// RabbitMQ's text, as `inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is
    /// 'false'`.
    pub fn text(&self, resource: Resource<'_>) -> String {
        let Self { argument, received, current } = self;
        format!("inequivalent arg '{argument}' for {resource}: received {received} but current is {current}")
    }
}

fn is_default(argument: &str, value: Value<'_>) -> bool {
    argument == "x-queue-type" && value.as_str() == Some("classic")
}

/// An argument that only one side has, or its absence.
fn typed(value: Option<Value<'_>>) -> String {
    match value {
        Some(value) => format!("the value {} of type '{}'", bare(value), value.type_name()),
        None => "none".to_owned(),
    }
}

/// An argument that both sides have.
fn bare(value: Value<'_>) -> String {
    match Term::from(value) {
        Term::Binary(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
        term => format!("'{term}'"),
    }
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::{TableBuf, TableBuilder};

    use super::*;

    fn text(argument: &'static str, received: &TableBuf, current: &TableBuf) -> Option<String> {
        let resource = Resource { kind: "queue", name: "x", vhost: "/" };
        Inequivalence::of_argument(argument, received.as_table(), current.as_table())
            .map(|difference| difference.text(resource))
    }

    fn one(argument: &str, value: Value<'_>) -> TableBuf {
        TableBuilder::new().value(argument, value).finish()
    }

    #[test]
    fn properties_that_differ_are_quoted() {
        let difference = Inequivalence::of_property("auto_delete", true, false).unwrap();
        assert_eq!(difference.argument(), "auto_delete");
        assert_eq!(
            difference.text(Resource { kind: "queue", name: "x", vhost: "/" }),
            "inequivalent arg 'auto_delete' for queue 'x' in vhost '/': received 'true' but current is 'false'"
        );
        assert_eq!(Inequivalence::of_property("durable", true, true), None);
    }

    #[test]
    fn arguments_that_differ_print_value_and_type_when_the_other_side_has_none() {
        let none = TableBuf::default();
        let cases = [
            (one("x", Value::SignedInt(1000)), none.clone(), "the value '1000' of type 'signedint'", "none"),
            (none.clone(), one("x", Value::LongStr(b"a")), "none", "the value 'a' of type 'longstr'"),
            (one("x", Value::LongStr(b"b")), one("x", Value::LongStr(b"a")), "'b'", "'a'"),
            (one("x", Value::Double(1000.0)), one("x", Value::Long(1000)), "'1.0e3'", "'1000'"),
            (one("x", Value::Bool(true)), one("x", Value::LongStr(b"true")), "'true'", "'true'"),
        ];
        for (received, current, printed_received, printed_current) in cases {
            let expected = format!(
                "inequivalent arg 'x' for queue 'x' in vhost '/': received {printed_received} but current is {printed_current}"
            );
            assert_eq!(text("x", &received, &current), Some(expected));
        }
    }

    #[test]
    fn equal_values_of_related_types_are_equivalent() {
        for (received, current) in [
            (Value::Byte(5), Value::Long(5)),
            (Value::UnsignedInt(7), Value::Short(7)),
            (Value::Float(0.5), Value::Double(0.5)),
            (Value::LongStr(b"a"), Value::Binary(b"a")),
            (Value::Double(f64::NAN), Value::Double(f64::NAN)),
        ] {
            assert_eq!(text("x", &one("x", received), &one("x", current)), None, "{received:?}");
        }
        let classic = one("x-queue-type", Value::LongStr(b"classic"));
        let quorum = one("x-queue-type", Value::LongStr(b"quorum"));
        let none = TableBuf::default();
        assert_eq!(text("x-queue-type", &classic, &none), None);
        assert_eq!(text("x-queue-type", &none, &classic), None);
        assert!(text("x-queue-type", &none, &quorum).is_some());
    }
}
