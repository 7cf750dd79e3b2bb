//! Cipher suites: their names in configurations and in listings.

use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite as ring;

use super::TlsError;

struct Suite {
    of_rustls: SupportedCipherSuite,
    /// `OpenSSL`'s name.
    name: &'static str,
    key_exchange: &'static str,
    cipher: &'static str,
}

/// The best first.
static SUITES: [Suite; 9] = [
    Suite {
        of_rustls: ring::TLS13_AES_256_GCM_SHA384,
        name: "TLS_AES_256_GCM_SHA384",
        key_exchange: "any",
        cipher: "aes_256_gcm",
    },
    Suite {
        of_rustls: ring::TLS13_AES_128_GCM_SHA256,
        name: "TLS_AES_128_GCM_SHA256",
        key_exchange: "any",
        cipher: "aes_128_gcm",
    },
    Suite {
        of_rustls: ring::TLS13_CHACHA20_POLY1305_SHA256,
        name: "TLS_CHACHA20_POLY1305_SHA256",
        key_exchange: "any",
        cipher: "chacha20_poly1305",
    },
    Suite {
        of_rustls: ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        key_exchange: "ecdhe_ecdsa",
        cipher: "aes_256_gcm",
    },
    Suite {
        of_rustls: ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        key_exchange: "ecdhe_ecdsa",
        cipher: "aes_128_gcm",
    },
    Suite {
        of_rustls: ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        key_exchange: "ecdhe_ecdsa",
        cipher: "chacha20_poly1305",
    },
    Suite {
        of_rustls: ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        key_exchange: "ecdhe_rsa",
        cipher: "aes_256_gcm",
    },
    Suite {
        of_rustls: ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        key_exchange: "ecdhe_rsa",
        cipher: "aes_128_gcm",
    },
    Suite {
        of_rustls: ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        key_exchange: "ecdhe_rsa",
        cipher: "chacha20_poly1305",
    },
];

/// `OpenSSL`'s names of all that can be spoken, the best first.
pub fn cipher_suites() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|suite| suite.name)
}

/// Suites that were asked for by name.
pub(super) struct Chosen {
    pub(super) known: Vec<SupportedCipherSuite>,
    pub(super) unknown: Vec<String>,
}

/// Those of these names, in their order; all of them when none is named.
pub(super) fn chosen(names: &[String]) -> Result<Chosen, TlsError> {
    if names.is_empty() {
        return Ok(Chosen {
            known: SUITES.iter().map(|suite| suite.of_rustls).collect(),
            unknown: Vec::new(),
        });
    }
    let mut chosen = Chosen { known: Vec::new(), unknown: Vec::new() };
    for name in names {
        match SUITES.iter().find(|suite| suite.name == name) {
            Some(suite) => chosen.known.push(suite.of_rustls),
            None => chosen.unknown.push(name.clone()),
        }
    }
    if chosen.known.is_empty() {
        let all: Vec<&str> = cipher_suites().collect();
        let reason = format!("none of these suites is known here; known are {}", all.join(", "));
        return Err(TlsError::of("tls.ciphers", None, &reason));
    }
    Ok(chosen)
}

/// How a suite exchanges keys, and its cipher, in RabbitMQ's words.
pub(super) fn parts(of: SupportedCipherSuite) -> Option<(&'static str, &'static str)> {
    let suite = SUITES.iter().find(|suite| suite.of_rustls.suite() == of.suite())?;
    Some((suite.key_exchange, suite.cipher))
}
