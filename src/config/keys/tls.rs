//! Keys of TLS, and of proxies before the broker.

use super::{PLAIN, many, maybe, one, same};
use crate::config::key::{Alias, Key, Reload, Written};
use crate::config::{check, rabbitmq_values as from};

/// What most of these keys have in common: a reload reads the files again, and new connections go by what it found.
const RELOADED: Key = Key { reload: Reload::NewConnections, ..PLAIN };

pub(super) static KEYS: [Key; 17] = [
    Key {
        name: "tls.cacertfile",
        doc: "The authorities that are trusted: a file of certificates (PEM). Clients' certificates are held against them, \
              and what the broker's own chain lacks is taken from there.",
        unset: Some("nobody is trusted"),
        example: Some("/etc/leveret/ca.pem"),
        rabbitmq: &[same("ssl_options.cacertfile")],
        check: check::tls_cacertfile,
        field: maybe!(PATH, tls.cacertfile),
        ..RELOADED
    },
    Key {
        name: "tls.certfile",
        doc: "The broker's certificate, and behind it those between it and its authority (PEM). The files are read again on \
              SIGHUP; if they cannot be used, those that were read before hold.",
        unset: Some("there is no TLS"),
        example: Some("/etc/leveret/cert.pem"),
        rabbitmq: &[same("ssl_options.certfile")],
        check: check::tls_certfile,
        field: maybe!(PATH, tls.certfile),
        ..RELOADED
    },
    Key {
        name: "tls.keyfile",
        doc: "The key of that certificate (PEM).",
        unset: Some("there is no TLS"),
        example: Some("/etc/leveret/key.pem"),
        rabbitmq: &[same("ssl_options.keyfile")],
        check: check::tls_keyfile,
        field: maybe!(PATH, tls.keyfile),
        ..RELOADED
    },
    Key {
        name: "tls.password",
        doc: "What that key is encrypted with (PKCS #8, BEGIN ENCRYPTED PRIVATE KEY). Better in a file that \
              LEVERET_TLS_PASSWORD_FILE names, or in a configuration file that only the broker can read.",
        unset: Some("the key is not encrypted"),
        example: Some("the password of the key"),
        rabbitmq: &[same("ssl_options.password")],
        field: maybe!(SECRET, tls.password),
        ..RELOADED
    },
    Key {
        name: "tls.crlfile",
        doc: "Lists of certificates that their authorities have revoked (PEM). Of authorities without a list none is.",
        unset: Some("none is revoked"),
        example: Some("/etc/leveret/crl.pem"),
        field: maybe!(PATH, tls.crlfile),
        ..RELOADED
    },
    Key {
        name: "tls.verify",
        doc: "Whether clients are asked for certificates. One that is not trusted ends the handshake. Only with verify_peer \
              clients can log in by certificate (EXTERNAL).",
        rabbitmq: &[same("ssl_options.verify")],
        field: one!(VERIFY, tls.verify),
        ..RELOADED
    },
    Key {
        name: "tls.fail_if_no_peer_cert",
        doc: "Whether a client that is asked has to have a certificate.",
        rabbitmq: &[same("ssl_options.fail_if_no_peer_cert")],
        check: check::fail_if_no_peer_cert,
        field: one!(SWITCH, tls.fail_if_no_peer_cert),
        ..RELOADED
    },
    Key {
        name: "tls.depth",
        doc: "How many certificates may stand between a client's and an authority that is trusted.",
        unset: Some("as many as a chain may have"),
        example: Some("1"),
        rabbitmq: &[same("ssl_options.depth")],
        field: maybe!(NUMBER_16, tls.depth),
        ..RELOADED
    },
    Key {
        name: "tls.versions",
        doc: "The versions of TLS that are spoken.",
        rabbitmq: &[Alias { name: "ssl_options.versions.$name", written: Written::As(from::tls_version) }],
        check: check::tls_versions,
        field: many!(TLS_VERSION, tls.versions),
        ..RELOADED
    },
    Key {
        name: "tls.ciphers",
        doc: "The cipher suites that are spoken, with OpenSSL's names, the best first. Those that are not known here are \
              passed over.",
        unset: Some("all that are safe"),
        example: Some("TLS_AES_256_GCM_SHA384"),
        rabbitmq: &[same("ssl_options.ciphers.$name")],
        field: many!(TEXT, tls.ciphers),
        ..RELOADED
    },
    Key {
        name: "tls.honor_cipher_order",
        doc: "Whether the broker's order of cipher suites counts, and not the client's.",
        rabbitmq: &[same("ssl_options.honor_cipher_order")],
        field: one!(SWITCH, tls.honor_cipher_order),
        ..RELOADED
    },
    Key {
        name: "tls.handshake_timeout",
        doc: "How long a client may take for the handshake of TLS, which is a part of the whole handshake.",
        rabbitmq: &[Alias { name: "ssl_handshake_timeout", written: Written::As(from::milliseconds) }],
        check: check::tls_handshake_timeout,
        field: one!(DURATION, tls.handshake_timeout),
        ..RELOADED
    },
    Key {
        name: "tls.cert_login_from",
        doc: "What of a client's certificate is the name of the user that it logs in as (EXTERNAL): its subject as RFC 4514 \
              writes it (CN=client,O=Example), the common name in it, or a subject alternative name.",
        rabbitmq: &[same("ssl_cert_login_from")],
        field: one!(CERT_LOGIN, tls.cert_login_from),
        ..RELOADED
    },
    Key {
        name: "tls.cert_login_san_type",
        doc: "The kind of that subject alternative name.",
        rabbitmq: &[same("ssl_cert_login_san_type")],
        field: one!(SAN_TYPE, tls.cert_login_san_type),
        ..RELOADED
    },
    Key {
        name: "tls.cert_login_san_index",
        doc: "Which one of several of that kind, from 0.",
        rabbitmq: &[same("ssl_cert_login_san_index")],
        field: one!(NUMBER, tls.cert_login_san_index),
        ..RELOADED
    },
    Key {
        name: "proxy_protocol.enabled",
        doc: "Whether connections come through proxies that say for whom, with the PROXY protocol (version 1 or 2). Every \
              connection then has to begin with its header.",
        rabbitmq: &[same("proxy_protocol")],
        field: one!(SWITCH, proxy_protocol.enabled),
        ..RELOADED
    },
    Key {
        name: "proxy_protocol.trusted",
        doc: "The addresses of such proxies, single ones or networks. A connection from elsewhere is refused, since whoever \
              may say where it comes from can say anything.",
        check: check::trusted_proxies,
        field: many!(NETWORK, proxy_protocol.trusted),
        ..RELOADED
    },
];
