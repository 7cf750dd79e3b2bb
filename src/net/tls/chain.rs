//! What a client needs to hold the broker's certificate against an authority that it trusts.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// No chain is longer.
const LENGTH_MAX: usize = 8;

/// The chain, with what it lacks from those that are trusted here: RabbitMQ's installations keep the certificates in between
/// there. One that signed itself is not needed.
pub(super) fn completed(
    mut chain: Vec<CertificateDer<'static>>,
    authorities: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    while chain.len() < LENGTH_MAX {
        let last = chain.last().and_then(|last| Certificate::from_der(last).ok());
        let Some(last) = last else { break };
        let wanted = last.tbs_certificate().issuer();
        let next = authorities.iter().find(|authority| {
            Certificate::from_der(authority).is_ok_and(|authority| {
                let authority = authority.tbs_certificate();
                authority.subject() == wanted && authority.issuer() != authority.subject()
            })
        });
        match next {
            Some(next) if !chain.contains(next) => chain.push(next.clone()),
            _ => break,
        }
    }
    chain
}
