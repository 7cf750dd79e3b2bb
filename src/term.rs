//! Field values as RabbitMQ compares and prints them: as Erlang terms, which have no widths of integers and one
//! type for bytes and text.

use std::fmt::{self, Write};

use leveret_protocol::table::{Array, Table, Value};

/// A field value without its type. Two terms are equal if Erlang's `=:=` says so: integers and timestamps by their
/// number, both kinds of float by theirs, strings and binaries by their bytes; arrays and tables byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Term<'a> {
    /// A number of any integer type, or a timestamp.
    Integer(i128),
    /// The bits of a float or double, as a double.
    Float(u64),
    /// A truth value.
    Bool(bool),
    /// The bytes of a string or a binary.
    Binary(&'a [u8]),
    /// Scale and digits.
    Decimal(u8, u32),
    /// Values with their types.
    Array(Array<'a>),
    /// Keys with values and their types.
    Table(Table<'a>),
    /// The value of the type void.
    Undefined,
}

impl<'a> From<Value<'a>> for Term<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Byte(value) => Self::Integer(value.into()),
            Value::UnsignedByte(value) => Self::Integer(value.into()),
            Value::Short(value) => Self::Integer(value.into()),
            Value::UnsignedShort(value) => Self::Integer(value.into()),
            Value::SignedInt(value) => Self::Integer(value.into()),
            Value::UnsignedInt(value) => Self::Integer(value.into()),
            Value::Long(value) => Self::Integer(value.into()),
            Value::Timestamp(value) => Self::Integer(value.into()),
            Value::Float(value) => Self::Float(f64::from(value).to_bits()),
            Value::Double(value) => Self::Float(value.to_bits()),
            Value::Decimal { scale, value } => Self::Decimal(scale, value),
            Value::LongStr(bytes) | Value::Binary(bytes) => Self::Binary(bytes),
            Value::Array(array) => Self::Array(array),
            Value::Table(table) => Self::Table(table),
            Value::Void => Self::Undefined,
        }
    }
}

/// As Erlang's `~tp`, on one line: `<<"text">>`, `{2,100}`, `[{<<"key">>,bool,true}]`.
impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(bits) => float(f, f64::from_bits(*bits)),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Binary(bytes) => binary(f, bytes),
            Self::Decimal(scale, value) => write!(f, "{{{scale},{value}}}"),
            Self::Array(array) => {
                list(f, array.iter(), |f, value| write!(f, "{{{},{}}}", value.type_name(), Term::from(value)))
            }
            Self::Table(table) => list(f, table.iter(), |f, (key, value)| {
                write!(f, "{{{},{},{}}}", Term::Binary(key.as_bytes()), value.type_name(), Term::from(value))
            }),
            Self::Undefined => f.write_str("undefined"),
        }
    }
}

fn list<I: Iterator>(
    f: &mut fmt::Formatter<'_>,
    items: I,
    item: impl Fn(&mut fmt::Formatter<'_>, I::Item) -> fmt::Result,
) -> fmt::Result {
    f.write_char('[')?;
    for (at, value) in items.enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        item(f, value)?;
    }
    f.write_char(']')
}

/// Text between quotes if Erlang takes it for printable, which by default ends with Latin-1, else the numbers of the bytes.
fn binary(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let text = str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && text.chars().all(is_printable));
    let Some(text) = text else {
        f.write_str("<<")?;
        for (at, byte) in bytes.iter().enumerate() {
            write!(f, "{}{byte}", if at > 0 { "," } else { "" })?;
        }
        return f.write_str(">>");
    };
    f.write_str("<<\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            character => f.write_char(character)?,
        }
    }
    f.write_str(if text.is_ascii() { "\">>" } else { "\"/utf8>>" })
}

fn is_printable(character: char) -> bool {
    !character.is_control() && character <= '\u{ff}' || matches!(character, '\n' | '\r' | '\t')
}

/// The digits that Rust prints, always with a point, and with an exponent where that is shorter.
fn float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let plain = format!("{value:?}");
    let mut scientific = format!("{value:e}");
    if let Some((digits, exponent)) = scientific.split_once('e').filter(|(digits, _)| !digits.contains('.')) {
        scientific = format!("{digits}.0e{exponent}");
    }
    f.write_str(if plain.contains('e') || scientific.len() < plain.len() { &scientific } else { &plain })
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::{ArrayBuilder, TableBuilder};

    use super::*;

    #[test]
    fn terms_print_as_erlang_prints_them() {
        let inner = TableBuilder::new().bool("k", true).finish();
        let array = ArrayBuilder::new()
            .string("a")
            .table(inner.as_table())
            .value(Value::Void)
            .value(Value::Decimal { scale: 2, value: 100 })
            .finish();
        for (value, printed) in [
            (Value::Byte(-5), "-5"),
            (Value::Timestamp(u64::MAX), "18446744073709551615"),
            (Value::Bool(false), "false"),
            (Value::LongStr(b"foo"), "<<\"foo\">>"),
            (Value::LongStr(b""), "<<>>"),
            (Value::LongStr(b"a\"b\\c\n\t"), "<<\"a\\\"b\\\\c\\n\\t\">>"),
            (Value::LongStr("é".as_bytes()), "<<\"é\"/utf8>>"),
            (Value::Binary(&[1, 2, 255]), "<<1,2,255>>"),
            (Value::Binary(b"a\x7f"), "<<97,127>>"),
            (Value::Double(100.0), "100.0"),
            (Value::Double(1000.0), "1.0e3"),
            (Value::Double(123_456.0), "123456.0"),
            (Value::Double(1.0e22), "1.0e22"),
            (Value::Double(0.001), "0.001"),
            (Value::Double(0.0001), "0.0001"),
            (Value::Double(0.000_123_45), "1.2345e-4"),
            (Value::LongStr("日".as_bytes()), "<<230,151,165>>"),
            (Value::Double(-0.0), "-0.0"),
            (Value::Float(0.5), "0.5"),
            (Value::Void, "undefined"),
            (
                Value::Array(array.as_array()),
                "[{longstr,<<\"a\">>},{table,[{<<\"k\">>,bool,true}]},{void,undefined},{decimal,{2,100}}]",
            ),
        ] {
            assert_eq!(Term::from(value).to_string(), printed, "{value:?}");
        }
    }

    #[test]
    fn floats_that_are_no_numbers_print_and_equal_themselves() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let term = Term::from(Value::Double(value));
            assert_eq!(term, Term::from(Value::Double(value)));
            assert!(!term.to_string().is_empty());
        }
    }
}
