//! What a certificate says of its owner.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::SystemTime;

use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use super::subject;
use crate::config::{CertLogin, SanType};

/// The parts of a certificate that somebody asks for. It says nothing of whether the certificate is to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, as RFC 4514 writes it.
    pub subject: String,
    /// Whose signature it has, likewise.
    pub issuer: String,
    /// Its number, hexadecimal.
    pub serial_number: String,
    /// From when on it counts.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
    validity: String,
    common_names: Vec<String>,
    alternative_names: Vec<(SanType, String)>,
}

/// The bytes are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCertificate;

impl Certificate {
    /// Reads a certificate as it stands in a handshake, DER.
    pub fn read(der: &[u8]) -> Result<Self, InvalidCertificate> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|_| InvalidCertificate)?;
        let certificate = certificate.tbs_certificate();
        let validity = certificate.validity();
        let alternative_names = match certificate.get_extension::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().filter_map(alternative_name).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            subject: subject::text(certificate.subject()),
            issuer: subject::text(certificate.issuer()),
            serial_number: hexadecimal(certificate.serial_number().as_bytes()),
            not_before: validity.not_before.to_system_time(),
            not_after: validity.not_after.to_system_time(),
            validity: format!("{} - {}", shown(validity.not_before), shown(validity.not_after)),
            common_names: subject::common_names(certificate.subject()),
            alternative_names,
        })
    }

    /// From when until when it counts: `2026-01-01T00:00:00Z - 2027-01-01T00:00:00Z`.
    pub fn validity(&self) -> &str {
        &self.validity
    }

    /// The name of the user whose it is: that part of it, and of alternative names the one of that kind with that place
    /// among them. Nothing if it is empty.
    pub fn login(&self, from: CertLogin, (kind, index): (SanType, usize)) -> Option<String> {
        let name = match from {
            CertLogin::DistinguishedName => self.subject.clone(),
            CertLogin::CommonName => self.common_names.join(","),
            CertLogin::SubjectAlternativeName => {
                let mut of_kind = self.alternative_names.iter().filter(|(of, _)| *of == kind);
                of_kind.nth(index).map(|(_, name)| name.clone())?
            }
        };
        (!name.is_empty()).then_some(name)
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // A string takes all that is written to it.
        let _ = write!(text, "{octet:02X}");
        text
    })
}

/// In UTC, as RFC 3339 writes it.
fn shown(time: Time) -> String {
    time.to_date_time().to_string()
}

fn alternative_name(name: &GeneralName) -> Option<(SanType, String)> {
    Some(match name {
        GeneralName::DnsName(name) => (SanType::Dns, name.to_string()),
        GeneralName::Rfc822Name(name) => (SanType::Email, name.to_string()),
        GeneralName::UniformResourceIdentifier(name) => (SanType::Uri, name.to_string()),
        // As text: RabbitMQ takes the octets as they are for a name, which nobody can give to a user.
        GeneralName::IpAddress(octets) => (SanType::Ip, address(octets.as_bytes())?.to_string()),
        GeneralName::OtherName(name) => (SanType::OtherName, subject::value(&name.value)?),
        _ => return None,
    })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

impl fmt::Display for InvalidCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate cannot be read")
    }
}

impl std::error::Error for InvalidCertificate {}
