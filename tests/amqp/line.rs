//! One method, with its content if it has any, as a line of text:
//!
//! ```text
//! 2:basic.publish exchange=amq.topic routing-key=a.b mandatory | delivery-mode=2 headers={n:1} | the body
//! ```
//!
//! The channel's number and a colon come first (channel 1 if there is none), then the method's name and its fields; what is not named is
//! empty, zero or false. Quotes keep spaces together. In an expectation `*` stands for any value.

use std::fmt;

use crate::methods::{Kind, Method, properties};
use crate::wire::{Reader, put};

type Fields = Vec<(&'static str, String)>;

/// A method of one channel, its fields as text.
pub(crate) struct Line {
    pub(crate) channel: u16,
    pub(crate) method: &'static Method,
    fields: Fields,
    properties: Fields,
    pub(crate) body: Vec<u8>,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '|');
        let mut words = words(parts.next().unwrap_or_default());
        let name = words.remove(0);
        let (channel, name) = match name.split_once(':') {
            Some((channel, name)) => (channel.parse().expect("a channel"), name),
            None => (1, name.as_str()),
        };
        let method = Method::named(name);
        let fields = fields(method.fields(), words);
        let properties = fields_of_properties(parts.next().unwrap_or_default());
        let body = parts.next().unwrap_or_default().trim().as_bytes().to_vec();
        Self { channel, method, fields, properties, body }
    }

    pub(crate) fn decode(channel: u16, payload: &[u8]) -> Self {
        let mut reader = Reader(payload);
        let class = u16::try_from(reader.unsigned(2)).expect("a class");
        let id = u16::try_from(reader.unsigned(2)).expect("a method");
        let method = Method::numbered(class, id);
        let mut fields = Vec::new();
        let (mut bits, mut bit) = (0, 8);
        for (name, kind) in method.fields() {
            let text = if kind == Kind::Bit {
                if bit == 8 {
                    (bits, bit) = (reader.unsigned(1), 0);
                }
                bit += 1;
                String::from(if bits >> (bit - 1) & 1 == 1 { "true" } else { "" })
            } else {
                bit = 8;
                reader.take(kind)
            };
            fields.push((name, plain(text)));
        }
        assert!(reader.0.is_empty(), "octets after the last field of {}: {:?}", method.name, reader.0);
        Self { channel, method, fields, properties: Vec::new(), body: Vec::new() }
    }

    /// Adds the properties of a content header, and answers the size of the body that follows.
    pub(crate) fn take_header(&mut self, payload: &[u8]) -> u64 {
        let mut reader = Reader(payload);
        assert_eq!((reader.unsigned(2), reader.unsigned(2)), (60, 0), "class and weight");
        let size = reader.unsigned(8);
        let flags = reader.unsigned(2);
        for (index, (name, kind)) in properties().enumerate() {
            if flags >> (15 - index) & 1 == 1 {
                // An empty property is there all the same: it is kept apart from an absent one.
                self.properties.push((name, reader.take(kind)));
            }
        }
        size
    }

    pub(crate) fn arguments(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.method.class.to_be_bytes());
        out.extend(self.method.id.to_be_bytes());
        let mut bits = None;
        for ((_, kind), (_, text)) in self.method.fields().zip(&self.fields) {
            if kind == Kind::Bit {
                let (at, bit) = match bits {
                    Some((at, bit)) if bit < 8 => (at, bit),
                    _ => {
                        out.push(0);
                        (out.len() - 1, 0)
                    }
                };
                out[at] |= u8::from(text == "true") << bit;
                bits = Some((at, bit + 1));
            } else {
                bits = None;
                put(&mut out, kind, text);
            }
        }
        out
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let mut out = vec![0, 60, 0, 0];
        out.extend((self.body.len() as u64).to_be_bytes());
        let mut flags = 0u16;
        let mut values = Vec::new();
        for (index, (name, kind)) in properties().enumerate() {
            if let Some((_, text)) = self.properties.iter().find(|(given, _)| *given == name) {
                flags |= 1 << (15 - index);
                put(&mut values, kind, text);
            }
        }
        out.extend(flags.to_be_bytes());
        out.extend(values);
        out
    }

    /// A field or a property by its name; empty if it is absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut all = self.fields.iter().chain(&self.properties);
        all.find(|(given, _)| *given == name).map_or("", |(_, text)| text)
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.get(name) {
            "" => 0,
            text => text.parse().expect("a number"),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether this is what `expected` describes, with its `*` for any value.
    pub(crate) fn is(&self, expected: &Line) -> bool {
        self.channel == expected.channel
            && self.method.name == expected.method.name
            && same(&self.fields, &expected.fields)
            && (same(&self.properties, &expected.properties))
            && self.body == expected.body
    }
}

fn same(fields: &Fields, expected: &Fields) -> bool {
    fields.len() == expected.len()
        && fields.iter().zip(expected).all(|((name, text), (wanted_name, wanted))| {
            name == wanted_name && (text == wanted || wanted == "*" || name.starts_with('-'))
        })
}

/// What stands for zero, false and an empty table is not written.
fn plain(text: String) -> String {
    if text == "0" || text == "{}" { String::new() } else { text }
}

fn fields(named: impl Iterator<Item = (&'static str, Kind)>, words: Vec<String>) -> Fields {
    let mut fields: Fields = named.map(|(name, _)| (name, String::new())).collect();
    for word in words {
        let (name, text) = word.split_once('=').unwrap_or((&word, "true"));
        let field = fields.iter_mut().find(|(given, _)| *given == name);
        field.unwrap_or_else(|| panic!("no field {name}")).1 = plain(text.to_owned());
    }
    fields
}

fn fields_of_properties(text: &str) -> Fields {
    let given: Vec<_> = words(text);
    for word in &given {
        let (name, _) = word.split_once('=').expect("a property and its value");
        assert!(properties().any(|(known, _)| known == name), "no property {name}");
    }
    let value = |name| given.iter().filter_map(|word| word.split_once('=')).find(|(given, _)| *given == name);
    properties().filter_map(|(name, _)| value(name).map(|(_, text)| (name, text.to_owned()))).collect()
}

/// Splits at spaces that are in no quotes and no brackets. Quotes around a whole value are taken off.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut depth, mut quoted) = (0, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ => {}
        }
        match character {
            ' ' if !quoted && depth == 0 => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            '"' if depth == 0 => {}
            '\\' if depth == 0 => word.extend(characters.next()),
            '\\' => word.extend([Some('\\'), characters.next()].into_iter().flatten()),
            other => word.push(other),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.channel != 1 {
            write!(f, "{}:", self.channel)?;
        }
        f.write_str(self.method.name)?;
        for (name, text) in
            self.fields.iter().filter(|(name, text)| !text.is_empty() && !name.starts_with('-'))
        {
            match text.as_str() {
                "true" => write!(f, " {name}")?,
                text if text.contains([' ', '"']) => write!(f, " {name}=\"{}\"", text.replace('"', "\\\""))?,
                text => write!(f, " {name}={text}")?,
            }
        }
        if self.method.has_content() {
            f.write_str(" |")?;
            for (name, text) in &self.properties {
                write!(f, " {name}={text}")?;
            }
            write!(f, " | {}", String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body)))?;
        }
        Ok(())
    }
}
