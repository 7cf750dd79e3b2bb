//! Keys of TLS of an HTTP server: the same for each.

/// The keys of a section, for what is served there, with the port by custom; their prefixes in rabbitmq.conf; whether TLS is
/// spoken there; and their place.
macro_rules! http_tls {
    (
        $section:literal, $served:literal, $port:literal, [$($prefix:literal),+], [$($ports:literal),+], [$($ips:literal),+],
        $is_spoken:expr, $($path:ident).+
    ) => {
        [
            Key {
                name: concat!($section, ".listen"),
                doc: concat!(
                    "Where to serve ", $served, " over TLS: an address with a port, a port alone (", $port,
                    " by custom), or none."
                ),
                unset: Some("nowhere"),
                example: Some($port),
                rabbitmq: &[$(Alias { name: $ports, written: Written::As(from::address) }),+],
                field: maybe!(LISTEN, $($path).+.listen),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".ip"),
                doc: concat!("The address to do so at where ", $section, ".listen names a port alone."),
                unset: Some("every interface"),
                example: Some("127.0.0.1"),
                rabbitmq: &[$(same($ips)),+],
                field: maybe!(IP, $($path).+.ip),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".cacertfile"),
                doc: "The authorities that are trusted there: a file of certificates (PEM).",
                unset: Some("that of tls.cacertfile"),
                example: Some("/etc/leveret/ca.pem"),
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".cacertfile"))),+],
                check: |config| check::http_cacertfile(config, &config.$($path).+),
                field: maybe!(PATH, $($path).+.cacertfile),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".certfile"),
                doc: "The certificate that is shown there, and behind it those between it and its authority (PEM). The files \
                      are read again on SIGHUP.",
                unset: Some("that of tls.certfile"),
                example: Some("/etc/leveret/cert.pem"),
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".certfile"))),+],
                check: |config| {
                    let is_spoken: fn(&crate::config::Config) -> bool = $is_spoken;
                    check::http_certfile(config, &config.$($path).+, is_spoken(config))
                },
                field: maybe!(PATH, $($path).+.certfile),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".keyfile"),
                doc: "The key of that certificate (PEM).",
                unset: Some("that of tls.keyfile"),
                example: Some("/etc/leveret/key.pem"),
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".keyfile"))),+],
                check: |config| {
                    let is_spoken: fn(&crate::config::Config) -> bool = $is_spoken;
                    check::http_keyfile(config, &config.$($path).+, is_spoken(config))
                },
                field: maybe!(PATH, $($path).+.keyfile),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".password"),
                doc: "What that key is encrypted with (PKCS #8).",
                unset: Some("that of tls.password"),
                example: Some("the password of the key"),
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".password"))),+],
                field: maybe!(SECRET, $($path).+.password),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".verify"),
                doc: "Whether clients are asked for certificates there. One that is not trusted ends the handshake.",
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".verify"))),+],
                field: one!(VERIFY, $($path).+.verify),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".fail_if_no_peer_cert"),
                doc: "Whether a client that is asked has to have a certificate.",
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".fail_if_no_peer_cert"))),+],
                check: |config| check::http_fail_if_no_peer_cert(&config.$($path).+),
                field: one!(SWITCH, $($path).+.fail_if_no_peer_cert),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".depth"),
                doc: "How many certificates may stand between a client's and an authority that is trusted.",
                unset: Some("as many as a chain may have"),
                example: Some("1"),
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".depth"))),+],
                field: maybe!(NUMBER_16, $($path).+.depth),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".versions"),
                doc: "The versions of TLS that are spoken there.",
                reload: Reload::NewConnections,
                rabbitmq: &[$(Alias {
                    name: concat!($prefix, ".versions.$name"),
                    written: Written::As(from::tls_version),
                }),+],
                check: |config| check::http_versions(&config.$($path).+),
                field: many!(TLS_VERSION, $($path).+.versions),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".ciphers"),
                doc: "The cipher suites that are spoken there, with OpenSSL's names, the best first. Those that are not known \
                      here are passed over.",
                unset: Some("all that are safe"),
                example: Some("TLS_AES_256_GCM_SHA384"),
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".ciphers.$name"))),+],
                field: many!(TEXT, $($path).+.ciphers),
                ..PLAIN
            },
            Key {
                name: concat!($section, ".honor_cipher_order"),
                doc: "Whether the broker's order of cipher suites counts, and not the client's.",
                reload: Reload::NewConnections,
                rabbitmq: &[$(same(concat!($prefix, ".honor_cipher_order"))),+],
                field: one!(SWITCH, $($path).+.honor_cipher_order),
                ..PLAIN
            },
        ]
    };
}
pub(super) use http_tls;
