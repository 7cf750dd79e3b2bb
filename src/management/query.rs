//! The query of a request.

/// What stands behind the question mark, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query: `+` is a blank, `%XX` an octet; what is no UTF-8 becomes replacement characters.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// All names with their values, in their order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a name; the first, if there are several.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The names that begin with this, without it, and their values.
    pub(super) fn beginning_with<'q>(&'q self, start: &'q str) -> impl Iterator<Item = (&'q str, &'q str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(start)?, value.as_str())))
    }

    /// Whether it says `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let octet = match first {
            b'+' => b' ',
            b'%' => {
                match tail.split_first_chunk::<2>().and_then(|(digits, tail)| Some((octet(*digits)?, tail))) {
                    Some((octet, tail)) => {
                        rest = tail;
                        octet
                    }
                    None => b'%',
                }
            }
            other => *other,
        };
        bytes.push(octet);
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned())
}

fn octet(digits: [u8; 2]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let [high, low] = digits;
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_as_forms_are() {
        let query = Query::parse("a=1&b=x+y%2Fz&&c&d=%zz%4&a=2&e=%C3%A9&f=%ff");
        for (name, expected) in [
            ("a", Some("1")),
            ("b", Some("x y/z")),
            ("c", Some("")),
            ("d", Some("%zz%4")),
            ("e", Some("é")),
            ("f", Some("\u{fffd}")),
            ("g", None),
        ] {
            assert_eq!(query.get(name), expected, "{name}");
        }
        assert!(Query::parse("x=true").is_true("x") && !Query::parse("x=TRUE").is_true("x"));
    }
}
