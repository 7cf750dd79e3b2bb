use super::*;
use crate::config::key::{Arity, Key};
use crate::config::{Config, Shown, Verify, check};
use std::collections::BTreeSet;

#[test]
fn no_two_keys_have_a_name_a_flag_a_variable_or_an_alias_in_common() {
    let names = |of: fn(&Key) -> &'static str| keys().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(names(|key| key.name), keys().count());
    assert_eq!(names(Key::flag), keys().count());
    assert_eq!(names(Key::variable), keys().count());
    let aliases: Vec<_> = keys().flat_map(|key| key.rabbitmq).map(|alias| alias.name).collect();
    assert_eq!(aliases.iter().collect::<BTreeSet<_>>().len(), aliases.len());
}

#[test]
fn no_key_is_a_section_and_sections_stand_together() {
    let sections: Vec<_> = keys().map(Key::section).collect();
    let mut runs = sections.clone();
    runs.dedup();
    assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), runs.len(), "{runs:?}");
    for key in keys() {
        assert!(!keys().any(|other| other.name.starts_with(&format!("{}.", key.name))), "{}", key.name);
        assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn what_a_key_shows_it_reads_as_the_same_value() {
    let default = Config::default();
    for key in keys() {
        let shown = key.shown(&default).texts();
        // What a list or a key without a value shows is nothing, and nothing is what it has.
        assert_eq!(key.unset.is_some(), shown.is_empty(), "{}", key.name);
        assert_eq!(key.example.is_some(), shown.is_empty(), "{}", key.name);
        let texts = key.example.map_or(shown, |example| vec![example.to_owned()]);
        let mut config = Config { listeners: Vec::new(), ..Config::default() };
        key.field.set(&mut config, &texts).unwrap();
        (key.check)(&config).unwrap();
        if key.field.is_secret() {
            assert_eq!(key.shown(&config), Shown::Hidden);
        } else {
            assert_eq!(key.shown(&config).texts(), texts, "{}", key.name);
        }
        if key.example.is_none() {
            assert!(key.field.is_same(&config, &default), "{}", key.name);
        }
        let mut copied = Config::default();
        key.field.copy(&config, &mut copied);
        assert!(key.field.is_same(&config, &copied), "{}", key.name);
    }
}

const TOO_MANY_TAGS: &str =
    "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33";

#[allow(clippy::too_many_lines, reason = "a row for each key")]
#[test]
fn every_key_refuses_a_bad_value_with_what_it_expects() {
    // For each key what it refuses, when it reads or when it is checked, and a part of what is said.
    let table: &[(&str, &[(&str, &str)])] = &[
        ("data_dir", &[("", "expected a path"), ("a\0b", "expected a path")]),
        ("in_memory", &[("maybe", "expected true or false")]),
        ("durability", &[("never", "expected fsync, os or memory")]),
        ("backlog_memory", &[("some", "expected a share such as 0.6"), ("1000", "at least 1MiB")]),
        ("memory_limit", &[("2.0", "expected a share such as 0.6"), ("1000", "at least 16MiB")]),
        ("total_memory_available_override_value", &[("1000", "at least"), ("much", "expected")]),
        ("disk_free_limit", &[("0.0", "expected a size such as 2GB, or a factor"), ("lots", "such as 1.5")]),
        (
            "workers",
            &[("many", "expected a whole number"), ("0", "not between 1 and 1024"), ("1025", "1024")],
        ),
        (
            "node_name",
            &[
                ("", "expected a name such as"),
                ("a b", "such as rabbit"),
                ("@h", "or rabbit@host"),
                ("a@b@c", "such"),
            ],
        ),
        ("cluster_name", &[("a\nb", "without control characters"), ("\u{1b}[2J", "without control")]),
        ("handshake_timeout", &[("soon", "expected a duration"), ("0", "must be longer than 0")]),
        (
            "heartbeat",
            &[("1500ms", "expected whole seconds"), ("70000", "at most 65535"), ("-1", "expected")],
        ),
        ("frame_max", &[("5GiB", "less than 4GiB"), ("4095", "4096 and 16777216"), ("17MiB", "(16MiB)")]),
        ("initial_frame_max", &[("1", "between 4096 and"), ("x", "expected a size")]),
        ("channel_max", &[("0", "not between 1 and 65535"), ("65536", "too large"), ("-1", "whole number")]),
        ("max_message_size", &[("big", "expected a size"), ("513MiB", "536870912"), ("0", "between 1 and")]),
        (
            "max_connections",
            &[("0", "not between 1"), ("all", "whole number"), ("99999999999", "not between")],
        ),
        ("ports_file", &[("", "expected a path")]),
        ("pid_file", &[("", "expected a path")]),
        ("vhost_max", &[("-1", "whole number"), ("lots", "whole number")]),
        ("default_queue_type", &[("stream", "expected classic or quorum"), ("", "expected classic")]),
        ("consumer_timeout", &[("half an hour", "expected a duration")]),
        ("load_definitions", &[("", "expected a path")]),
        ("default_users", &[("password=x", "name=NAME"), ("name=a read=(", "regular expression")]),
        ("default_user", &[("", "a name of 1 to 255 bytes"), ("a\nb", "without control characters")]),
        ("default_pass", &[]),
        ("default_user_tags", &[(TOO_MANY_TAGS, "at most 32 tags")]),
        ("default_vhost", &[("", "a name of 1 to 255 bytes")]),
        ("loopback_users", &[("", "a name of 1 to 255 bytes")]),
        ("auth_mechanisms", &[("plain", "expected PLAIN, AMQPLAIN, EXTERNAL or ANONYMOUS")]),
        ("anonymous_login_user", &[("", "a name of 1 to 255 bytes")]),
        ("channel_max_per_node", &[("-1", "expected a whole number")]),
        ("cluster_exchange_limit", &[("many", "expected a whole number")]),
        ("cluster_queue_limit", &[("many", "expected a whole number")]),
        ("consumer_max_per_channel", &[("many", "expected a whole number")]),
        ("password_hashing_module", &[("bcrypt", "expected rabbit_password_hashing_sha256")]),
        ("default_permissions.configure", &[("(", "invalid regular expression '('")]),
        ("default_permissions.write", &[("*", "invalid regular expression '*'")]),
        ("default_permissions.read", &[("[", "invalid regular expression '['"), ("a\0", "without control")]),
        (
            "credential_validator.validation_backend",
            &[
                ("min_length", "expected rabbit_credential_validator_accept_everything"),
                ("rabbit_credential_validator_password_regexp", "it needs credential_validator.regexp"),
            ],
        ),
        ("credential_validator.min_length", &[("-1", "expected a whole number")]),
        ("credential_validator.regexp", &[]),
        ("default_limits.vhosts", &[("10", "name=value"), ("pattern=( max_queues=1", "pattern '('")]),
        ("default_policies.operator", &[("name=p", "no policy provided"), ("max-length=1", "name=NAME")]),
        (
            "listeners.tcp",
            &[("nowhere", "expected an IP address and a port"), ("127.0.0.1", "expected an IP")],
        ),
        ("listeners.tls", &[("nowhere", "expected an IP address and a port")]),
        ("tcp.backlog", &[("0", "not between 1 and"), ("x", "whole number"), ("4294967296", "too large")]),
        ("tcp.nodelay", &[("1", "expected true or false")]),
        ("tcp.keepalive", &[("2h", "expected true or false")]),
        ("tcp.linger", &[("long", "expected a duration"), ("100000s", "at most 65535 seconds")]),
        (
            "tcp.send_buffer",
            &[("4GiB", "less than 4GiB"), ("x", "expected a size"), ("1", "not between 2048")],
        ),
        ("tcp.receive_buffer", &[("", "expected a size"), ("1023", "not between 2048"), ("3GiB", "between")]),
        ("tls.cacertfile", &[("", "expected a path")]),
        ("tls.certfile", &[("", "expected a path")]),
        ("tls.keyfile", &[("", "expected a path")]),
        ("tls.password", &[]),
        ("tls.crlfile", &[("", "expected a path")]),
        ("tls.verify", &[("peer", "expected verify_none or verify_peer")]),
        (
            "tls.fail_if_no_peer_cert",
            &[("1", "expected true or false"), ("true", "tls.verify is verify_peer")],
        ),
        ("tls.depth", &[("-1", "whole number"), ("65536", "too large")]),
        ("tls.versions", &[("tlsv1.1", "expected tlsv1.3 or tlsv1.2"), ("1.3", "expected tlsv1.3")]),
        ("tls.ciphers", &[("a\nb", "without control characters")]),
        ("tls.honor_cipher_order", &[("1", "expected true or false")]),
        ("tls.handshake_timeout", &[("soon", "expected a duration"), ("0", "must be longer than 0")]),
        ("tls.cert_login_from", &[("dn", "expected distinguished_name, common_name or")]),
        ("tls.cert_login_san_type", &[("host", "expected dns, ip, email, uri or other_name")]),
        ("tls.cert_login_san_index", &[("-1", "expected a whole number")]),
        ("proxy_protocol.enabled", &[("v2", "expected true or false")]),
        ("proxy_protocol.trusted", &[("10.0.0.0/33", "a network such as"), ("lb.example", "an IP address")]),
        ("definitions.import_backend", &[("https", "from no 'https'"), ("a\nb", "without control")]),
        ("definitions.skip_if_unchanged", &[("1", "expected true or false")]),
        ("management.listen", &[("nowhere", "expected an IP address and a port"), ("", "or none")]),
        ("management.ip", &[("localhost", "expected an IP address"), ("1.2.3", "expected an IP address")]),
        ("management.listen_tls", &[("15671", "expected true or false")]),
        ("management.socket", &[("", "expected a path, or none")]),
        (
            "management.socket_mode",
            &[("rw", "expected octal"), ("1777", "expected octal"), ("7", "expected octal")],
        ),
        ("management.path_prefix", &[("a b", "such as /mq"), ("/", "such as /mq"), ("a//b", "such as /mq")]),
        ("management.hosts", &[("a\nb", "without control characters")]),
        ("management.max_body_size", &[("1", "not between 1024"), ("2GiB", "(1024MiB)"), ("x", "a size")]),
        ("management.idle_timeout", &[("soon", "expected a duration"), ("0", "longer than 0")]),
        ("management.tls.listen", &[("nowhere", "or none")]),
        ("management.tls.ip", &[("localhost", "expected an IP address")]),
        ("management.tls.cacertfile", &[("", "expected a path")]),
        ("management.tls.certfile", &[("", "expected a path")]),
        ("management.tls.keyfile", &[("", "expected a path")]),
        ("management.tls.password", &[]),
        ("management.tls.verify", &[("peer", "expected verify_none or")]),
        (
            "management.tls.fail_if_no_peer_cert",
            &[("1", "expected true or false"), ("true", "verify is verify_peer")],
        ),
        ("management.tls.depth", &[("-1", "whole number")]),
        ("management.tls.versions", &[("sslv3", "expected tlsv1.3")]),
        ("management.tls.ciphers", &[("a\nb", "without control characters")]),
        ("management.tls.honor_cipher_order", &[("1", "expected true or false")]),
        (
            "management.cors.allow_origins",
            &[("example.com", "is no origin"), ("https://a/", "is no origin"), ("null", "is no origin")],
        ),
        ("management.cors.max_age", &[("long", "whole number")]),
        ("management.csp.policy", &[("", "printable ASCII"), ("a\nb", "printable ASCII")]),
        ("management.hsts.policy", &[("é", "printable ASCII")]),
        ("management.headers.content_type_options", &[("", "printable ASCII")]),
        ("management.headers.xss_protection", &[("", "printable ASCII")]),
        ("management.headers.frame_options", &[("", "printable ASCII")]),
        ("management.headers.referrer_policy", &[("", "printable ASCII")]),
        ("metrics.listen", &[("nowhere", "or none")]),
        ("metrics.ip", &[("localhost", "expected an IP address")]),
        (
            "metrics.path",
            &[("metrics", "such as /metrics"), ("/", "such as /metrics"), ("/a?b", "such as /metrics")],
        ),
        ("metrics.return_per_object_metrics", &[("1", "expected true or false")]),
        ("metrics.authentication", &[("yes please", "expected true or false")]),
        ("metrics.tls.listen", &[("nowhere", "or none")]),
        ("metrics.tls.ip", &[("localhost", "expected an IP address")]),
        ("metrics.tls.cacertfile", &[("", "expected a path")]),
        ("metrics.tls.certfile", &[("", "expected a path")]),
        ("metrics.tls.keyfile", &[("", "expected a path")]),
        ("metrics.tls.password", &[]),
        ("metrics.tls.verify", &[("peer", "expected verify_none or")]),
        (
            "metrics.tls.fail_if_no_peer_cert",
            &[("1", "expected true or false"), ("true", "verify is verify_peer")],
        ),
        ("metrics.tls.depth", &[("-1", "whole number")]),
        ("metrics.tls.versions", &[("sslv3", "expected tlsv1.3")]),
        ("metrics.tls.ciphers", &[("a\nb", "without control characters")]),
        ("metrics.tls.honor_cipher_order", &[("1", "expected true or false")]),
        (
            "statistics.interval",
            &[("soon", "expected a duration"), ("10ms", "not between 100ms and 1h"), ("7200", "1h")],
        ),
        ("statistics.rates_mode", &[("fine", "expected none, basic or detailed")]),
        ("statistics.disabled", &[("maybe", "expected true or false")]),
        ("statistics.collector_disabled", &[("maybe", "expected true or false")]),
        ("log.level", &[("loud", "expected debug, info"), ("Info", "expected debug, info")]),
        ("log.format", &[("xml", "expected human or json")]),
        ("log.dir", &[("", "expected a path")]),
        ("log.connection.level", &[("loud", "expected debug, info")]),
        ("log.channel.level", &[("", "expected debug, info")]),
        ("log.queue.level", &[("all", "expected debug, info")]),
        ("log.storage.level", &[("5", "expected debug, info")]),
        ("log.console.enabled", &[("stdout", "expected true or false")]),
        ("log.console.level", &[("trace", "expected debug, info")]),
        ("log.console.format", &[("plain", "expected human or json")]),
        ("log.file.path", &[("", "expected a path")]),
        ("log.file.level", &[("trace", "expected debug, info")]),
        ("log.file.format", &[("JSON", "expected human or json")]),
        ("log.file.rotation.size", &[("big", "expected a size")]),
        ("log.file.rotation.count", &[("-1", "whole number"), ("70000", "too large")]),
        ("log.file.rotation.date", &[("$D24", "expected hourly, daily"), ("now", "expected hourly")]),
    ];
    assert!(table.iter().map(|(name, _)| *name).eq(keys().map(|key| key.name)), "every key has its row");
    for (name, bad) in table {
        let key = Key::named(name).unwrap();
        for (text, said) in *bad {
            let mut config = Config::default();
            let read = key.field.set(&mut config, &[(*text).to_owned()]);
            let refused = read.and_then(|()| (key.check)(&config)).unwrap_err();
            assert!(refused.contains(said), "{name} = {text}: {refused}");
        }
        if key.field.arity() != Arity::List {
            let two = key.field.set(&mut Config::default(), &["1".to_owned(), "2".to_owned()]);
            assert_eq!(two, Err("expected one value".to_owned()), "{name}");
        }
    }
    let mut none = Config::default();
    Key::named("listeners.tcp").unwrap().field.set(&mut none, &[]).unwrap();
    assert_eq!(check::listeners(&none), Err("at least one address is needed".to_owned()));
}

#[test]
fn keys_of_tls_that_need_each_other_say_so() {
    let tls = |set: fn(&mut Config)| {
        let mut config = Config::default();
        config.tls.listeners = vec!["5671".parse().unwrap()];
        config.tls.certfile = Some("cert.pem".into());
        config.tls.keyfile = Some("key.pem".into());
        set(&mut config);
        let refused = config.refused();
        refused.into_iter().map(|(key, reason)| format!("{}: {reason}", key.name)).collect::<Vec<_>>()
    };
    assert_eq!(tls(|_| {}), [""; 0]);
    assert_eq!(tls(|config| config.listeners.clear()), [""; 0], "TLS alone");
    assert_eq!(tls(|config| config.tls.certfile = None), ["tls.certfile: listeners.tls needs it"]);
    assert_eq!(tls(|config| config.tls.keyfile = None), ["tls.keyfile: listeners.tls needs it"]);
    assert_eq!(
        tls(|config| config.tls.verify = Verify::Peer),
        ["tls.cacertfile: tls.verify = verify_peer needs it"]
    );
    assert_eq!(tls(|config| config.tls.versions.clear()), ["tls.versions: at least one version is needed"]);
    let without_proxies = tls(|config| {
        config.proxy_protocol.enabled = true;
        config.proxy_protocol.trusted.clear();
    });
    assert_eq!(
        without_proxies,
        ["proxy_protocol.trusted: proxy_protocol.enabled needs at least one address that is trusted"]
    );
}
