//! Bytes of AMQP 0-9-1 put together by hand.
//!
//! The broker's own codec is not used on purpose: it cannot say what is wrong, and an error that both ends
//! share would not be seen.

/// The payload of a frame, grown argument by argument.
#[derive(Clone, Default)]
pub(crate) struct Payload(pub(crate) Vec<u8>);

impl Payload {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A method frame's payload, to which its arguments are added.
    pub(crate) fn method((class, method): (u16, u16)) -> Self {
        Self::new().short(class).short(method)
    }

    /// A content header's payload, to which properties are added with [`Payload::bytes`].
    pub(crate) fn header(class: u16, weight: u16, body_size: u64) -> Self {
        Self::new().short(class).short(weight).longlong(body_size)
    }

    pub(crate) fn octet(self, value: u8) -> Self {
        self.bytes([value])
    }

    pub(crate) fn short(self, value: u16) -> Self {
        self.bytes(value.to_be_bytes())
    }

    pub(crate) fn long(self, value: u32) -> Self {
        self.bytes(value.to_be_bytes())
    }

    pub(crate) fn longlong(self, value: u64) -> Self {
        self.bytes(value.to_be_bytes())
    }

    pub(crate) fn shortstr(self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.octet(u8::try_from(value.len()).expect("at most 255 bytes")).bytes(value)
    }

    pub(crate) fn longstr(self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.long(u32::try_from(value.len()).unwrap()).bytes(value)
    }

    pub(crate) fn table(self, table: &Table) -> Self {
        self.longstr(&table.0)
    }

    pub(crate) fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }
}

/// The entries of a field table, without the length before them.
#[derive(Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<u8>);

impl Table {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An entry with the field's type octet and its encoded value.
    pub(crate) fn field(self, key: impl AsRef<[u8]>, kind: u8, value: impl AsRef<[u8]>) -> Self {
        Self(Payload(self.0).shortstr(key).octet(kind).bytes(value).0)
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.field(key, b'S', Payload::new().longstr(value).0)
    }

    pub(crate) fn int(self, key: &str, value: i32) -> Self {
        self.field(key, b'I', value.to_be_bytes())
    }

    pub(crate) fn boolean(self, key: &str, value: bool) -> Self {
        self.field(key, b't', [u8::from(value)])
    }

    pub(crate) fn nested(self, key: &str, value: &Table) -> Self {
        self.field(key, b'F', Payload::new().table(value).0)
    }

    /// An array of long strings.
    pub(crate) fn texts(self, key: &str, values: &[&str]) -> Self {
        let items = values.iter().fold(Payload::new(), |items, value| items.octet(b'S').longstr(value));
        self.field(key, b'A', Payload::new().longstr(&items.0).0)
    }
}

/// The property list of a content header: flags and values. Properties are added in the order of the
/// specification, as they stand on the wire.
#[derive(Clone, Default)]
pub(crate) struct Properties {
    flags: u16,
    values: Vec<u8>,
}

impl Properties {
    pub(crate) const CONTENT_TYPE: u8 = 15;
    pub(crate) const CORRELATION_ID: u8 = 10;
    pub(crate) const REPLY_TO: u8 = 9;
    pub(crate) const EXPIRATION: u8 = 8;
    pub(crate) const MESSAGE_ID: u8 = 7;
    pub(crate) const USER_ID: u8 = 4;

    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A property that is a short string, by the number of its flag's bit.
    pub(crate) fn text(self, bit: u8, value: impl AsRef<[u8]>) -> Self {
        self.value(bit, &Payload::new().shortstr(value).0)
    }

    pub(crate) fn headers(self, headers: &Table) -> Self {
        self.value(13, &Payload::new().table(headers).0)
    }

    pub(crate) fn delivery_mode(self, mode: u8) -> Self {
        self.value(12, &[mode])
    }

    pub(crate) fn priority(self, priority: u8) -> Self {
        self.value(11, &[priority])
    }

    pub(crate) fn timestamp(self, seconds: u64) -> Self {
        self.value(6, &seconds.to_be_bytes())
    }

    /// Flags and values as they follow the body size in a header frame.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        Payload::new().short(self.flags).bytes(&self.values).0
    }

    fn value(mut self, bit: u8, value: &[u8]) -> Self {
        assert!(self.flags.trailing_zeros() > u32::from(bit), "properties come in the order of their flags");
        self.flags |= 1 << bit;
        self.values.extend_from_slice(value);
        self
    }
}
