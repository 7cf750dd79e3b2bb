//! Tables: byte for byte, value for value, and whatever is wrong with one.

use leveret_protocol::limits::{TABLE_DEPTH_MAX, TABLE_ENTRIES_MAX};
use leveret_protocol::{Array, ArrayBuilder, Table, TableBuilder, TableError, Value};
use proptest::prelude::*;

use crate::material::{converted_table, entries, our_table, their_table};

proptest! {
    #[test]
    fn a_table_holds_what_was_put_in_and_keeps_its_bytes(entries in entries()) {
        let table = our_table(&entries);
        let parsed = Table::parse(table.as_bytes()).unwrap();
        prop_assert_eq!(parsed.as_bytes(), table.as_bytes());
        prop_assert_eq!(converted_table(parsed), their_table(&entries));
        prop_assert_eq!(TableBuilder::new().entries_where(parsed, |_| true).finish(), parsed.to_owned());
        for (key, value) in parsed {
            prop_assert_eq!(parsed.get(key), Some(value));
        }
    }

    #[test]
    fn sorted_entries_are_the_same_in_the_order_of_their_keys(entries in entries()) {
        let expected = our_table(&entries);
        let mut backwards: Vec<_> = expected.as_table().iter().collect();
        backwards.reverse();
        let table = backwards.into_iter().fold(TableBuilder::new(), |table, (key, value)| table.value(key, value));
        prop_assert_eq!(table.finish_sorted(), expected);
    }

    #[test]
    fn a_cut_table_is_refused_or_shorter(entries in entries()) {
        let table = our_table(&entries);
        for cut in 0..table.as_bytes().len() {
            if let Ok(shorter) = Table::parse(&table.as_bytes()[..cut]) {
                prop_assert!(shorter.iter().count() < entries.len());
            }
        }
    }
}

#[test]
fn every_field_type_of_rabbitmq_is_read_under_its_name() {
    let nested = TableBuilder::new().bool("n", true).finish();
    for (octets, name, value) in [
        (&b"t\x01"[..], "bool", Value::Bool(true)),
        (b"t\x02", "bool", Value::Bool(true)),
        (b"b\xff", "byte", Value::Byte(-1)),
        (b"B\xff", "unsignedbyte", Value::UnsignedByte(255)),
        (b"s\xff\xfe", "short", Value::Short(-2)),
        (b"u\xff\xfe", "unsignedshort", Value::UnsignedShort(65_534)),
        (b"I\xff\xff\xff\xfd", "signedint", Value::SignedInt(-3)),
        (b"i\xff\xff\xff\xfd", "unsignedint", Value::UnsignedInt(4_294_967_293)),
        (b"l\xff\xff\xff\xff\xff\xff\xff\xfc", "long", Value::Long(-4)),
        (b"L\xff\xff\xff\xff\xff\xff\xff\xfc", "long", Value::Long(-4)),
        (b"f\x7f\xc0\x00\x01", "float", Value::Float(f32::from_bits(0x7fc0_0001))),
        (b"d\x7f\xf0\x00\x00\x00\x00\x00\x00", "double", Value::Double(f64::INFINITY)),
        (b"D\xff\x00\x00\x00\x07", "decimal", Value::Decimal { scale: 255, value: 7 }),
        (b"S\x00\x00\x00\x02\xff\x00", "longstr", Value::LongStr(b"\xff\x00")),
        (b"T\xff\xff\xff\xff\xff\xff\xff\xff", "timestamp", Value::Timestamp(u64::MAX)),
        (b"V", "void", Value::Void),
        (b"x\x00\x00\x00\x01x", "binary", Value::Binary(b"x")),
        (b"A\x00\x00\x00\x01V", "array", Value::Array(Array::parse(b"V").unwrap())),
        (b"F\x00\x00\x00\x04\x01nt\x01", "table", Value::Table(nested.as_table())),
    ] {
        let bytes = [b"\x01k", octets].concat();
        let table = Table::parse(&bytes).unwrap();
        assert_eq!(table.get("k"), Some(value), "{name}");
        assert_eq!(table.get("k").unwrap().type_name(), name);
        assert_eq!(table.as_bytes(), bytes, "{name}");
        assert_eq!(Array::parse(octets).unwrap().iter().collect::<Vec<_>>(), [value], "{name}");
    }
}

#[test]
fn a_malformed_table_is_refused_for_what_is_wrong_with_it() {
    for (bytes, error) in [
        (&b"\x05ab"[..], TableError::Truncated),
        (b"\x01k", TableError::Truncated),
        (b"\x01kI\x00", TableError::Truncated),
        (b"\x01kS\xff\xff\xff\xffab", TableError::Truncated),
        (b"\x01kS\x80\x00\x00\x00", TableError::Truncated),
        (b"\x01kS\x00\x00", TableError::Truncated),
        (b"\x01kA\x00\x00\x00\x02V", TableError::Truncated),
        (b"\x01kF\x7f\xff\xff\xff", TableError::Truncated),
        (b"\x01kA\x00\x00\x00\x02I\x00\x00\x00\x00", TableError::Truncated),
        (b"\x01kA\x00\x00\x00\x05S\x00\x00\x00\x01a", TableError::Truncated),
        (b"\x01kA\x00\x00\x00\x05F\x00\x00\x00\x01V", TableError::Truncated),
        (b"\x01kz", TableError::UnknownType(b'z')),
        (b"\x01kU\x00\x00", TableError::UnknownType(b'U')),
        (b"\x02\xc3\x28V", TableError::MalformedKey),
    ] {
        assert_eq!(Table::parse(bytes).unwrap_err(), error, "{bytes:?}");
    }
}

#[test]
fn a_duplicate_key_is_kept_and_the_last_one_counts() {
    let table = TableBuilder::new().int("k", 1).bool("", true).int("k", 2).finish();
    let table = table.as_table();
    assert_eq!(table.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["k", "", "k"]);
    assert_eq!(table.get("k"), Some(Value::SignedInt(2)));
    assert_eq!(table.get(""), Some(Value::Bool(true)));
    assert_eq!(table.get("K"), None);
}

/// `depth` arrays in one another.
fn nested_arrays(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for inner in (0..depth).rev() {
        bytes.push(b'A');
        bytes.extend_from_slice(&u32::try_from(inner * 5).unwrap().to_be_bytes());
    }
    bytes
}

/// `depth` tables in one another.
fn nested_tables(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for inner in (0..depth).rev() {
        bytes.extend_from_slice(b"\x00F");
        bytes.extend_from_slice(&u32::try_from(inner * 6).unwrap().to_be_bytes());
    }
    bytes
}

#[test]
fn nesting_ends_at_its_limit_and_no_depth_overflows_the_stack() {
    for (inside, fits) in
        [(1, true), (TABLE_DEPTH_MAX - 1, true), (TABLE_DEPTH_MAX, false), (1_000, false), (21_000, false)]
    {
        let expected = if fits { None } else { Some(TableError::TooDeep) };
        assert_eq!(Array::parse(&nested_arrays(inside)).err(), expected, "arrays {inside}");
        assert_eq!(Table::parse(&nested_tables(inside)).err(), expected, "tables {inside}");
    }
}

#[test]
fn levels_are_left_where_they_end() {
    let inner = TableBuilder::new().int("a", 1).finish();
    let array =
        ArrayBuilder::new().table(inner.as_table()).value(Value::Array(Array::EMPTY)).string("s").finish();
    let table = TableBuilder::new().array("array", array.as_array()).bool("after", true).finish();
    let parsed = Table::parse(table.as_bytes()).unwrap();
    assert_eq!(parsed.get("after"), Some(Value::Bool(true)));
    let inside = parsed.get("array").unwrap().as_array().unwrap().iter().collect::<Vec<_>>();
    assert_eq!(inside, [Value::Table(inner.as_table()), Value::Array(Array::EMPTY), Value::LongStr(b"s")]);
    assert_eq!(
        format!("{parsed:?}"),
        r#"{"array": Array([Table({"a": SignedInt(1)}), Array([]), LongStr([115])]), "after": Bool(true)}"#
    );
}

#[test]
fn entries_are_counted_through_all_levels() {
    let flat = |entries: usize| b"\x00V".repeat(entries);
    let split = |entries: usize| {
        let half = vec![b'V'; entries / 2];
        let array = Array::parse(&half).unwrap();
        TableBuilder::new().array("", array).array("", array).finish().as_bytes().to_vec()
    };
    assert_eq!(Table::parse(&flat(TABLE_ENTRIES_MAX)).err(), None);
    assert_eq!(Table::parse(&flat(TABLE_ENTRIES_MAX + 1)).err(), Some(TableError::TooManyEntries));
    assert_eq!(Table::parse(&split(TABLE_ENTRIES_MAX - 2)).err(), None);
    assert_eq!(Table::parse(&split(TABLE_ENTRIES_MAX)).err(), Some(TableError::TooManyEntries));
    assert_eq!(Table::parse(&flat(20_000)).err(), Some(TableError::TooManyEntries));
}

#[test]
fn values_are_equal_when_type_and_bytes_are() {
    let nan = Value::Double(f64::NAN);
    assert_eq!(nan, nan);
    for (a, b) in [
        (Value::SignedInt(1), Value::Long(1)),
        (Value::Float(0.0), Value::Float(-0.0)),
        (Value::LongStr(b"a"), Value::Binary(b"a")),
        (Value::Table(Table::EMPTY), Value::Array(Array::EMPTY)),
    ] {
        assert_ne!(a, b);
    }
    assert_eq!(Value::SignedInt(1).as_integer(), Value::Long(1).as_integer());
    assert_eq!(Value::Timestamp(1).as_integer(), None);
}

#[test]
fn sorting_keeps_the_octets_of_entries_and_the_order_of_those_with_one_key() {
    let raw = b"\x01bt\x07\x01aL\x00\x00\x00\x00\x00\x00\x00\x01\x01bV\x00V";
    let table = Table::parse(raw).unwrap();
    let sorted = TableBuilder::with_capacity(raw.len()).entries(table).finish_sorted();
    assert_eq!(sorted.as_bytes(), b"\x00V\x01aL\x00\x00\x00\x00\x00\x00\x00\x01\x01bt\x07\x01bV");
    assert!(TableBuilder::new().finish_sorted().is_empty());
}
