//! Arbitrary values to fill methods, tables and properties with, ours and amq-protocol's side by side.

use std::cell::Cell;
use std::collections::BTreeMap;

use amq_protocol::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, LongString, ShortString};
use leveret_protocol::{ArrayBuf, ArrayBuilder, Table, TableBuf, TableBuilder, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// A field value that can be made into ours and theirs.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Leaf(u8, u64, Vec<u8>),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

const LEAVES: u8 = 15;

pub(crate) fn node() -> impl Strategy<Value = Node> {
    let leaf = (0..LEAVES, any::<u64>(), vec(any::<u8>(), 0..20))
        .prop_map(|(kind, number, bytes)| Node::Leaf(kind, number, bytes));
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Node::Array),
            btree_map(key(), inner, 0..6).prop_map(Node::Table),
        ]
    })
}

pub(crate) fn entries() -> impl Strategy<Value = BTreeMap<String, Node>> {
    btree_map(key(), node(), 0..6)
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![9 => "\\PC{0,12}", 1 => Just("k".repeat(255))]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => "\\PC{0,30}", 1 => Just("é".repeat(127)), 1 => Just("x".repeat(255))]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "any bits will do")]
fn leaf(kind: u8, number: u64, bytes: &[u8]) -> (Value<'_>, AMQPValue) {
    let real = f32::from(number as u16);
    match kind {
        0 => (Value::Bool(number & 1 == 1), AMQPValue::Boolean(number & 1 == 1)),
        1 => (Value::Byte(number as i8), AMQPValue::ShortShortInt(number as i8)),
        2 => (Value::UnsignedByte(number as u8), AMQPValue::ShortShortUInt(number as u8)),
        3 => (Value::Short(number as i16), AMQPValue::ShortInt(number as i16)),
        4 => (Value::UnsignedShort(number as u16), AMQPValue::ShortUInt(number as u16)),
        5 => (Value::SignedInt(number as i32), AMQPValue::LongInt(number as i32)),
        6 => (Value::UnsignedInt(number as u32), AMQPValue::LongUInt(number as u32)),
        7 => (Value::Long(number as i64), AMQPValue::LongLongInt(number as i64)),
        8 => (Value::Float(real), AMQPValue::Float(real)),
        9 => (Value::Double(f64::from(real)), AMQPValue::Double(f64::from(real))),
        10 => {
            let (scale, value) = (number as u8, (number >> 8) as u32);
            (Value::Decimal { scale, value }, AMQPValue::DecimalValue(DecimalValue { scale, value }))
        }
        11 => (Value::LongStr(bytes), AMQPValue::LongString(LongString::from(bytes))),
        12 => (Value::Timestamp(number), AMQPValue::Timestamp(number)),
        13 => (Value::Binary(bytes), AMQPValue::ByteArray(bytes.into())),
        _ => (Value::Void, AMQPValue::Void),
    }
}

pub(crate) fn our_table(entries: &BTreeMap<String, Node>) -> TableBuf {
    let add = |table: TableBuilder, (key, node): (&String, &Node)| match node {
        Node::Leaf(kind, number, bytes) => table.value(key, leaf(*kind, *number, bytes).0),
        Node::Array(nodes) => table.array(key, our_array(nodes).as_array()),
        Node::Table(entries) => table.table(key, our_table(entries).as_table()),
    };
    entries.iter().fold(TableBuilder::new(), add).finish()
}

fn our_array(nodes: &[Node]) -> ArrayBuf {
    let add = |array: ArrayBuilder, node: &Node| match node {
        Node::Leaf(kind, number, bytes) => array.value(leaf(*kind, *number, bytes).0),
        Node::Array(nodes) => array.value(Value::Array(our_array(nodes).as_array())),
        Node::Table(entries) => array.table(our_table(entries).as_table()),
    };
    nodes.iter().fold(ArrayBuilder::new(), add).finish()
}

pub(crate) fn their_table(entries: &BTreeMap<String, Node>) -> FieldTable {
    entries
        .iter()
        .map(|(key, node)| (key.as_str().into(), their_value(node)))
        .collect::<BTreeMap<_, _>>()
        .into()
}

fn their_value(node: &Node) -> AMQPValue {
    match node {
        Node::Leaf(kind, number, bytes) => leaf(*kind, *number, bytes).1,
        Node::Array(nodes) => AMQPValue::FieldArray(nodes.iter().map(their_value).collect::<Vec<_>>().into()),
        Node::Table(entries) => AMQPValue::FieldTable(their_table(entries)),
    }
}

/// What amq-protocol would hold after reading the same octets.
pub(crate) fn converted_table(table: Table<'_>) -> FieldTable {
    table.iter().map(|(key, value)| (key.into(), converted(value))).collect::<BTreeMap<_, _>>().into()
}

fn converted(value: Value<'_>) -> AMQPValue {
    match value {
        Value::Bool(value) => AMQPValue::Boolean(value),
        Value::Byte(value) => AMQPValue::ShortShortInt(value),
        Value::UnsignedByte(value) => AMQPValue::ShortShortUInt(value),
        Value::Short(value) => AMQPValue::ShortInt(value),
        Value::UnsignedShort(value) => AMQPValue::ShortUInt(value),
        Value::SignedInt(value) => AMQPValue::LongInt(value),
        Value::UnsignedInt(value) => AMQPValue::LongUInt(value),
        Value::Long(value) => AMQPValue::LongLongInt(value),
        Value::Float(value) => AMQPValue::Float(value),
        Value::Double(value) => AMQPValue::Double(value),
        Value::Decimal { scale, value } => AMQPValue::DecimalValue(DecimalValue { scale, value }),
        Value::LongStr(value) => AMQPValue::LongString(LongString::from(value)),
        Value::Timestamp(value) => AMQPValue::Timestamp(value),
        Value::Binary(value) => AMQPValue::ByteArray(value.into()),
        Value::Void => AMQPValue::Void,
        Value::Table(value) => AMQPValue::FieldTable(converted_table(value)),
        Value::Array(value) => {
            AMQPValue::FieldArray(FieldArray::from(value.iter().map(converted).collect::<Vec<_>>()))
        }
    }
}

/// Values for the arguments of one method; every call gives the next.
#[derive(Debug)]
pub(crate) struct Material {
    texts: Vec<String>,
    bytes: Vec<Vec<u8>>,
    table: TableBuf,
    numbers: Vec<u64>,
    next: Cell<usize>,
}

pub(crate) fn material() -> impl Strategy<Value = Material> {
    (vec(text(), 4), vec(vec(any::<u8>(), 0..40), 3), entries(), vec(any::<u64>(), 8)).prop_map(
        |(texts, bytes, entries, numbers)| Material {
            texts,
            bytes,
            table: our_table(&entries),
            numbers,
            next: Cell::new(0),
        },
    )
}

#[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
impl Material {
    fn next(&self) -> usize {
        self.next.replace(self.next.get() + 1)
    }

    pub(crate) fn octet(&self) -> u8 {
        self.longlong() as u8
    }

    pub(crate) fn short(&self) -> u16 {
        self.longlong() as u16
    }

    pub(crate) fn long(&self) -> u32 {
        self.longlong() as u32
    }

    pub(crate) fn longlong(&self) -> u64 {
        self.numbers[self.next() % self.numbers.len()]
    }

    pub(crate) fn bit(&self) -> bool {
        self.longlong() & 1 == 1
    }

    pub(crate) fn shortstr(&self) -> &str {
        &self.texts[self.next() % self.texts.len()]
    }

    pub(crate) fn longstr(&self) -> &[u8] {
        &self.bytes[self.next() % self.bytes.len()]
    }

    pub(crate) fn table(&self) -> Table<'_> {
        self.table.as_table()
    }
}

/// Our argument as amq-protocol holds it, by its type on the wire.
pub(crate) mod theirs {
    use super::{FieldTable, LongString, ShortString, Table, converted_table};

    pub(crate) fn octet(value: u8) -> u8 {
        value
    }

    pub(crate) fn short(value: u16) -> u16 {
        value
    }

    pub(crate) fn long(value: u32) -> u32 {
        value
    }

    pub(crate) fn longlong(value: u64) -> u64 {
        value
    }

    pub(crate) fn bit(value: bool) -> bool {
        value
    }

    pub(crate) fn shortstr(value: &str) -> ShortString {
        value.into()
    }

    pub(crate) fn longstr(value: &[u8]) -> LongString {
        value.into()
    }

    pub(crate) fn table(value: Table<'_>) -> FieldTable {
        converted_table(value)
    }
}
