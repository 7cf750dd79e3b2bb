//! Distinguished names as text: RFC 4514, as RabbitMQ writes it.
//!
//! Users are named like this, so that a name has to be the same to the byte: the last part first, attributes by the names
//! below or as numbers, and every byte that is no printable character of ASCII escaped.

use std::fmt::Write as _;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::Any;
use x509_cert::der::{Tag, Tagged};
use x509_cert::name::Name;

const COMMON_NAME: &str = "2.5.4.3";

/// The attributes that have a name there: the address of a street has none.
const NAMES: [(&str, &str); 16] = [
    (COMMON_NAME, "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATIONQUALIFIER"),
    ("2.5.4.65", "PSEUDONYM"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
];

/// The whole name.
pub(super) fn text(name: &Name) -> String {
    let parts = name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"));
    let mut parts: Vec<String> = parts.collect();
    parts.reverse();
    parts.join(",")
}

/// The common names in it, in their order, not escaped.
pub(super) fn common_names(name: &Name) -> Vec<String> {
    let named = name.iter().filter(|attribute| attribute.oid.to_string() == COMMON_NAME);
    named.filter_map(|attribute| value(&attribute.value)).collect()
}

fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let oid = attribute.oid.to_string();
    let name = NAMES.iter().find(|(named, _)| *named == oid).map_or(oid.as_str(), |(_, name)| name);
    format!("{name}={}", escaped(&value(&attribute.value).unwrap_or_default()))
}

/// A value that is text, whatever kind of text it is.
pub(super) fn value(value: &Any) -> Option<String> {
    let octets = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::NumericString => {
            str::from_utf8(octets).ok().map(str::to_owned)
        }
        // Taken for ISO 8859-1, since that is what is found there.
        Tag::TeletexString => Some(octets.iter().map(|octet| char::from(*octet)).collect()),
        Tag::BmpString => utf16(octets),
        _ => None,
    }
}

/// Big-endian.
fn utf16(octets: &[u8]) -> Option<String> {
    let (units, rest) = octets.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
    let text = char::decode_utf16(units).collect::<Result<_, _>>().ok();
    text.filter(|_| rest.is_empty())
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, octet) in value.bytes().enumerate() {
        match octet {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => text.extend(['\\', char::from(octet)]),
            b'#' if at == 0 => text.push_str("\\#"),
            b' ' if at == 0 || at == last => text.push_str("\\ "),
            b' '..=b'}' => text.push(char::from(octet)),
            _ => {
                // A string takes all that is written to it.
                let _ = write!(text, "\\{octet:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;
    use x509_cert::attr::AttributeTypeAndValue;

    #[test]
    fn a_name_is_written_as_rabbitmq_writes_it() {
        for (given, expected) in [
            ("CN=client,O=Example", "CN=client,O=Example"),
            ("CN=client,OU=a+OU=b,DC=example,DC=org", "CN=client,OU=a+OU=b,DC=example,DC=org"),
            ("1.2.840.113549.1.9.1=me@example.org", "EMAILADDRESS=me@example.org"),
            ("UID=7,C=DE", "UID=7,C=DE"),
            ("STREET=Road 1", "2.5.4.9=Road 1"),
            ("1.3.6.1.4.1.99999.1=x", "1.3.6.1.4.1.99999.1=x"),
            ("CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h=i", "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h=i"),
            ("CN=\\ a b\\ ", "CN=\\ a b\\ "),
            ("CN=\\#a#", "CN=\\#a#"),
            ("CN=ü~", "CN=\\C3\\BC\\7E"),
            ("CN=a\\0Db\\7F", "CN=a\\0Db\\7F"),
        ] {
            let name = Name::from_str(given).unwrap();
            assert_eq!(text(&name), expected, "{given}");
        }
        assert_eq!(text(&Name::default()), "");
    }

    #[test]
    fn text_of_every_kind_is_read() {
        for (tag, octets, expected) in [
            (Tag::Utf8String, "ü".as_bytes(), Some("ü")),
            (Tag::PrintableString, b"abc", Some("abc")),
            (Tag::Ia5String, b"a@b", Some("a@b")),
            (Tag::TeletexString, b"\xfc", Some("ü")),
            (Tag::BmpString, b"\0a\0\xfc", Some("aü")),
            (Tag::Utf8String, b"\xff", None),
            (Tag::OctetString, b"abc", None),
        ] {
            let value = super::value(&Any::new(tag, octets).unwrap());
            assert_eq!(value.as_deref(), expected, "{tag} {octets:?}");
        }
    }

    #[test]
    fn common_names_are_not_escaped() {
        let name = Name::from_str("CN=a\\,b,O=x,CN=c").unwrap();
        let mut names = common_names(&name);
        names.sort();
        assert_eq!(names, ["a,b", "c"]);
        let attribute = AttributeTypeAndValue::from_str("CN=a\\,b").unwrap();
        assert_eq!(super::attribute(&attribute), "CN=a\\,b");
    }
}
