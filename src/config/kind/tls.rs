//! Kinds of values of TLS and of proxies.

use super::{Form, Kind, Shown};
use crate::config::{CertLogin, InvalidNetwork, Network, SanType, TlsVersion, Verify};

pub(in crate::config) static VERIFY: Kind<Verify> = Kind {
    form: Form::Plain,
    placeholder: "VERIFY",
    choices: &["verify_none", "verify_peer"],
    read: |text| read(text, &VERIFIES, "expected verify_none or verify_peer"),
    show: |value| show(*value, &VERIFIES),
};
const VERIFIES: [(&str, Verify); 2] = [("verify_none", Verify::None), ("verify_peer", Verify::Peer)];

pub(in crate::config) static TLS_VERSION: Kind<TlsVersion> = Kind {
    form: Form::Plain,
    placeholder: "VERSION",
    choices: &["tlsv1.3", "tlsv1.2"],
    read: |text| read(text, &VERSIONS, "expected tlsv1.3 or tlsv1.2, older ones are not safe"),
    show: |value| show(*value, &VERSIONS),
};
const VERSIONS: [(&str, TlsVersion); 2] = [("tlsv1.3", TlsVersion::Tls13), ("tlsv1.2", TlsVersion::Tls12)];

pub(in crate::config) static CERT_LOGIN: Kind<CertLogin> = Kind {
    form: Form::Plain,
    placeholder: "PART",
    choices: &["distinguished_name", "common_name", "subject_alternative_name"],
    read: |text| {
        let expected = "expected distinguished_name, common_name or subject_alternative_name";
        read(text, &CERT_LOGINS, expected)
    },
    show: |value| show(*value, &CERT_LOGINS),
};
/// RabbitMQ has two names for the last one.
const CERT_LOGINS: [(&str, CertLogin); 4] = [
    ("distinguished_name", CertLogin::DistinguishedName),
    ("common_name", CertLogin::CommonName),
    ("subject_alternative_name", CertLogin::SubjectAlternativeName),
    ("subject_alt_name", CertLogin::SubjectAlternativeName),
];

pub(in crate::config) static SAN_TYPE: Kind<SanType> = Kind {
    form: Form::Plain,
    placeholder: "TYPE",
    choices: &["dns", "ip", "email", "uri", "other_name"],
    read: |text| read(text, &SAN_TYPES, "expected dns, ip, email, uri or other_name"),
    show: |value| show(*value, &SAN_TYPES),
};
const SAN_TYPES: [(&str, SanType); 5] = [
    ("dns", SanType::Dns),
    ("ip", SanType::Ip),
    ("email", SanType::Email),
    ("uri", SanType::Uri),
    ("other_name", SanType::OtherName),
];

pub(in crate::config) static NETWORK: Kind<Network> = Kind {
    form: Form::Plain,
    placeholder: "NETWORK",
    choices: &[],
    read: |text| text.parse().map_err(|error: InvalidNetwork| error.to_string()),
    show: |value| Shown::Text(value.to_string()),
};

fn read<T: Copy>(text: &str, values: &[(&str, T)], expected: &str) -> Result<T, String> {
    let found = values.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| expected.to_owned())
}

fn show<T: Copy + PartialEq>(value: T, values: &[(&str, T)]) -> Shown {
    let found = values.iter().find(|(_, one)| *one == value);
    found.map_or(Shown::Unset, |(name, _)| Shown::Text((*name).to_owned()))
}
