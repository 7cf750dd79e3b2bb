//! Keys of definitions: which thing is defined.
//!
//! A key is the kind's octet, then names, each with its end marked. NUL within a name is written as `00 FF` and a name
//! ends with `00 01`, so that no two keys are the same and keys sort as their names do: all of a kind, of a virtual
//! host, of an exchange stand together. What comes last needs no end.

/// What is defined. The numbers are written down and stay; those from 64 on are for what is not part of the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A virtual host.
    Vhost = 1,
    /// An exchange.
    Exchange = 2,
    /// A queue.
    Queue = 3,
    /// A binding.
    Binding = 4,
    /// A policy.
    Policy = 64,
    /// An operator policy.
    OperatorPolicy = 65,
    /// A runtime parameter of a virtual host.
    Parameter = 66,
    /// A runtime parameter of the broker.
    GlobalParameter = 67,
    /// A user.
    User = 68,
    /// What a user may do in a virtual host.
    Permission = 69,
    /// What a user may do with the keys of an exchange.
    TopicPermission = 70,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Vhost,
        Self::Exchange,
        Self::Queue,
        Self::Binding,
        Self::Policy,
        Self::OperatorPolicy,
        Self::Parameter,
        Self::GlobalParameter,
        Self::User,
        Self::Permission,
        Self::TopicPermission,
    ];

    /// The kind of a key; nothing for one that a later version wrote.
    pub fn of(key: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| key.first() == Some(&(*kind as u8)))
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vhost => "vhost",
            Self::Exchange => "exchange",
            Self::Queue => "queue",
            Self::Binding => "binding",
            Self::Policy => "policy",
            Self::OperatorPolicy => "operator policy",
            Self::Parameter => "parameter",
            Self::GlobalParameter => "global parameter",
            Self::User => "user",
            Self::Permission => "permission",
            Self::TopicPermission => "topic permission",
        }
    }
}

const NUL: u8 = 0;
const ESCAPED: u8 = 0xFF;
const END: u8 = 1;

/// Writes a key.
#[derive(Debug)]
pub(super) struct KeyWriter(Vec<u8>);

impl KeyWriter {
    /// A key of this kind without names.
    pub(super) fn new(kind: Kind) -> Self {
        Self(vec![kind as u8])
    }

    /// Appends a name with its end.
    pub(super) fn name(mut self, name: &str) -> Self {
        for byte in name.bytes() {
            self.0.push(byte);
            if byte == NUL {
                self.0.push(ESCAPED);
            }
        }
        self.0.extend_from_slice(&[NUL, END]);
        self
    }

    /// Appends an octet that tells cases apart.
    pub(super) fn mark(mut self, mark: u8) -> Self {
        self.0.push(mark);
        self
    }

    /// Ends the key with these bytes.
    pub(super) fn rest(mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(bytes);
        self.0
    }

    /// The key.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a key's parts, one after the other.
#[derive(Debug)]
pub(super) struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// The parts of `key` behind its kind.
    pub(super) fn new(key: &'a [u8]) -> Self {
        Self(key.get(1..).unwrap_or_default())
    }

    /// The next name.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut name = Vec::new();
        let mut bytes = self.0.iter();
        loop {
            match *bytes.next()? {
                NUL => match *bytes.next()? {
                    ESCAPED => name.push(NUL),
                    END => break,
                    _ => return None,
                },
                byte => name.push(byte),
            }
        }
        self.0 = bytes.as_slice();
        String::from_utf8(name).ok()
    }

    /// The next octet.
    pub(super) fn mark(&mut self) -> Option<u8> {
        let (mark, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*mark)
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Nothing, if something is left.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The names in a key, for people: what is not text, or not known, is left out.
pub(super) fn names(key: &[u8]) -> Vec<String> {
    let mut reader = KeyReader::new(key);
    let mut names = Vec::new();
    while let Some(name) = reader.name() {
        names.push(name);
        if Kind::of(key) == Some(Kind::Binding) && names.len() == 2 {
            reader.mark();
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(names: &[String], rest: &[u8]) -> Vec<u8> {
        names.iter().fold(KeyWriter::new(Kind::Binding), |key, name| key.name(name)).rest(rest)
    }

    fn any_name() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', 'ÿ', '/']), 0..4)
            .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_names_and_no_two_are_the_same(
            first in prop::collection::vec(any_name(), 2),
            second in prop::collection::vec(any_name(), 2),
            rests in (prop::collection::vec(any::<u8>(), 0..3), prop::collection::vec(any::<u8>(), 0..3)),
        ) {
            let (left, right) = (key(&first, &rests.0), key(&second, &rests.1));
            prop_assert_eq!(left.cmp(&right), (&first, &rests.0).cmp(&(&second, &rests.1)));
        }

        #[test]
        fn a_key_gives_back_what_was_put_in(
            written in prop::collection::vec(any_name(), 0..4),
            rest in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let key = key(&written, &rest);
            prop_assert_eq!(Kind::of(&key), Some(Kind::Binding));
            let mut reader = KeyReader::new(&key);
            for name in written {
                prop_assert_eq!(reader.name(), Some(name));
            }
            prop_assert_eq!(reader.rest(), &rest[..]);
        }

        #[test]
        fn any_bytes_are_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = KeyReader::new(&bytes);
            while reader.name().is_some() {}
            let _ = names(&bytes);
        }
    }
}
