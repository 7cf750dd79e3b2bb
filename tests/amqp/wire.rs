//! Fields on the wire, to and from text: `{name:"long string",n:5,big:5l,flag:true,list:[1,2],inner:{},nothing:void}`.
//! A bare number is a signed 32-bit integer; a suffix chooses another type, by AMQP's own letters: `b B s u i l d T`.

use crate::methods::Kind;

pub(crate) fn put(out: &mut Vec<u8>, kind: Kind, text: &str) {
    match kind {
        Kind::Octet => out.push(number(text)),
        Kind::Short => out.extend(number::<u16>(text).to_be_bytes()),
        Kind::Long => out.extend(number::<u32>(text).to_be_bytes()),
        Kind::LongLong => out.extend(number::<u64>(text).to_be_bytes()),
        Kind::ShortStr => {
            out.push(u8::try_from(text.len()).expect("a short string"));
            out.extend(text.as_bytes());
        }
        Kind::LongStr => put_long(out, text.as_bytes()),
        Kind::Table => {
            let text = if text.is_empty() { "{}" } else { text };
            let mut rest = text.strip_prefix('{').unwrap_or_else(|| panic!("no table: {text}"));
            put_long(out, &members(&mut rest));
            assert!(rest.is_empty(), "after a table: {rest}");
        }
        Kind::Bit => unreachable!("bits are packed by the caller"),
    }
}

fn number<T: std::str::FromStr + Default>(text: &str) -> T {
    if text.is_empty() { T::default() } else { text.parse().unwrap_or_else(|_| panic!("no number: {text}")) }
}

fn put_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).expect("a long string").to_be_bytes());
    out.extend(bytes);
}

/// The members of a table, up to and with its closing brace.
fn members(rest: &mut &str) -> Vec<u8> {
    let mut out = Vec::new();
    while !skip(rest, '}') {
        skip(rest, ',');
        let (name, after) = rest.split_once(':').expect("a name and a colon");
        *rest = after;
        put(&mut out, Kind::ShortStr, name);
        value(&mut out, rest);
    }
    out
}

fn value(out: &mut Vec<u8>, rest: &mut &str) {
    if skip(rest, '{') {
        out.push(b'F');
        let inner = members(rest);
        put_long(out, &inner);
    } else if skip(rest, '[') {
        out.push(b'A');
        let mut inner = Vec::new();
        while !skip(rest, ']') {
            skip(rest, ',');
            value(&mut inner, rest);
        }
        put_long(out, &inner);
    } else if skip(rest, '"') {
        let mut text = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next().expect("a closing quote") {
                (at, '"') => break at + 1,
                (_, '\\') => text.push(characters.next().expect("an escaped character").1),
                (_, other) => text.push(other),
            }
        };
        *rest = &rest[end..];
        out.push(b'S');
        put_long(out, text.as_bytes());
    } else {
        let end = rest.find([',', '}', ']']).expect("the end of a value");
        let (word, after) = rest.split_at(end);
        *rest = after;
        scalar(out, word);
    }
}

fn scalar(out: &mut Vec<u8>, word: &str) {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match (word, &word[digits.len()..]) {
        ("true" | "false", _) => out.extend([b't', u8::from(word == "true")]),
        ("void", _) => out.push(b'V'),
        (_, "b") => out.extend([b'b', number::<i8>(digits).to_be_bytes()[0]]),
        (_, "B") => out.extend([b'B', number::<u8>(digits)]),
        (_, "s") => tagged(out, b's', &number::<i16>(digits).to_be_bytes()),
        (_, "u") => tagged(out, b'u', &number::<u16>(digits).to_be_bytes()),
        (_, "i") => tagged(out, b'i', &number::<u32>(digits).to_be_bytes()),
        (_, "l") => tagged(out, b'l', &number::<i64>(digits).to_be_bytes()),
        (_, "d") => tagged(out, b'd', &number::<f64>(digits).to_be_bytes()),
        (_, "T") => tagged(out, b'T', &number::<u64>(digits).to_be_bytes()),
        _ => tagged(out, b'I', &number::<i32>(word).to_be_bytes()),
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend(bytes);
}

fn skip(rest: &mut &str, character: char) -> bool {
    rest.strip_prefix(character).map(|after| *rest = after.trim_start()).is_some()
}

/// Reads what [`put`] writes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    pub(crate) fn unsigned(&mut self, width: usize) -> u64 {
        self.bytes(width).iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    fn signed(&mut self, width: usize) -> i64 {
        let unused = 64 - 8 * u32::try_from(width).expect("a width");
        (self.unsigned(width) << unused).cast_signed() >> unused
    }

    fn string(&mut self, width: usize) -> String {
        let length = usize::try_from(self.unsigned(width)).expect("a length");
        String::from_utf8_lossy(self.bytes(length)).into_owned()
    }

    pub(crate) fn take(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Octet => self.unsigned(1).to_string(),
            Kind::Short => self.unsigned(2).to_string(),
            Kind::Long => self.unsigned(4).to_string(),
            Kind::LongLong => self.unsigned(8).to_string(),
            Kind::ShortStr => self.string(1),
            Kind::LongStr => self.string(4),
            Kind::Table => self.table(),
            Kind::Bit => unreachable!("bits are packed by the caller"),
        }
    }

    fn nested(&mut self) -> Reader<'a> {
        let length = usize::try_from(self.unsigned(4)).expect("a length");
        Reader(self.bytes(length))
    }

    fn table(&mut self) -> String {
        let mut inner = self.nested();
        let mut members = Vec::new();
        while !inner.0.is_empty() {
            let name = inner.string(1);
            members.push(format!("{name}:{}", inner.value()));
        }
        format!("{{{}}}", members.join(","))
    }

    fn value(&mut self) -> String {
        match self.unsigned(1).to_be_bytes()[7] {
            b'S' => format!("\"{}\"", self.string(4).replace('\\', "\\\\").replace('"', "\\\"")),
            b'I' => self.signed(4).to_string(),
            b'F' => self.table(),
            b'A' => {
                let mut inner = self.nested();
                let mut members = Vec::new();
                while !inner.0.is_empty() {
                    members.push(inner.value());
                }
                format!("[{}]", members.join(","))
            }
            b't' => (self.unsigned(1) != 0).to_string(),
            b'V' => "void".to_owned(),
            b'b' => format!("{}b", self.signed(1)),
            b'B' => format!("{}B", self.unsigned(1)),
            b's' => format!("{}s", self.signed(2)),
            b'u' => format!("{}u", self.unsigned(2)),
            b'i' => format!("{}i", self.unsigned(4)),
            b'l' => format!("{}l", self.signed(8)),
            b'T' => format!("{}T", self.unsigned(8)),
            b'd' => format!("{}d", f64::from_bits(self.unsigned(8))),
            other => panic!("field type {}", char::from(other)),
        }
    }
}
