//! Files that cannot be used say which they are and why.

use leveret::config::{TlsSettings, Verify};
use leveret::net::TlsServer;

use crate::authority::Authority;
use crate::house::Files;
use crate::support::{Broker, TempDir};

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let server = authority.server(&["localhost"]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0w\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
                 -----END RSA PRIVATE KEY-----\n";
    let cut = &server.chain[..60];
    let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let base = "-----BEGIN CERTIFICATE-----\n****\n-----END CERTIFICATE-----\n";
    for (file, text, key, reason) in [
        ("cert.pem", None, "tls.certfile", "No such file or directory"),
        ("cert.pem", Some(""), "tls.certfile", "there is no certificate (BEGIN CERTIFICATE) in it"),
        ("cert.pem", Some(&*server.key), "tls.certfile", "there is no certificate (BEGIN CERTIFICATE) in it"),
        ("cert.pem", Some(cut), "tls.certfile", "a section of it has no end"),
        ("cert.pem", Some(rubbish), "tls.certfile", "the first certificate in it cannot be read"),
        ("cert.pem", Some(base), "tls.certfile", "it is not base64"),
        ("key.pem", None, "tls.keyfile", "No such file or directory"),
        ("key.pem", Some(&*server.chain), "tls.keyfile", "there is no private key (BEGIN PRIVATE KEY) in it"),
        (
            "key.pem",
            Some(encrypted),
            "tls.keyfile",
            "the key is encrypted with a password, and there is none: set tls.password",
        ),
        (
            "key.pem",
            Some(older),
            "tls.keyfile",
            "it is encrypted in the way of old OpenSSL (Proc-Type: 4,ENCRYPTED), which is not supported",
        ),
        (
            "key.pem",
            Some(&*other.server(&["x"]).key),
            "tls.keyfile",
            "it is not the key of the certificate in",
        ),
        ("ca.pem", None, "tls.cacertfile", "No such file or directory"),
        ("ca.pem", Some("nothing"), "tls.cacertfile", "there is no certificate (BEGIN CERTIFICATE) in it"),
        ("ca.pem", Some(rubbish), "tls.cacertfile", "no certificate in it can be read"),
        ("crl.pem", None, "tls.crlfile", "No such file or directory"),
        ("crl.pem", Some(&*server.chain), "tls.crlfile", "there is no list of revoked certificates"),
    ] {
        let files = Files::new(&authority, &server);
        files.put("crl.pem", &authority.revoked(&[1]));
        match text {
            Some(text) => files.put(file, text),
            None => std::fs::remove_file(files.path(file)).unwrap(),
        }
        let settings = TlsSettings {
            cacertfile: Some(files.path("ca.pem")),
            certfile: Some(files.path("cert.pem")),
            keyfile: Some(files.path("key.pem")),
            crlfile: Some(files.path("crl.pem")),
            verify: Verify::Peer,
            ..TlsSettings::default()
        };
        let error = TlsServer::read(&settings).unwrap_err().to_string();
        let expected = format!("{key}: {}: {reason}", files.path(file).display());
        assert!(error.starts_with(&expected), "{error}");
    }
    let settings = TlsSettings { ciphers: vec!["RC4-MD5".to_owned()], ..TlsSettings::default() };
    let error = TlsServer::read(&settings).unwrap_err().to_string();
    assert!(
        error.starts_with("tls.ciphers: none of these suites is known here; known are TLS_AES"),
        "{error}"
    );
}

#[test]
fn a_broker_does_not_start_with_them() {
    let authority = Authority::new("A");
    let files = Files::new(&authority, &authority.server(&["localhost"]));
    files.put("key.pem", "nothing");
    let data = TempDir::new();
    let ended = Broker::spawn_on(data.path(), &files.flags(&[])).ready().map(|_| ()).unwrap_err();
    assert_eq!(ended.status.code(), Some(78));
    let said = "TLS cannot be spoken as configured: tls.keyfile: ";
    assert!(ended.log.iter().any(|line| line.contains(said)), "{ended:#?}");
}

#[test]
fn config_check_looks_at_them_too() {
    let authority = Authority::new("A");
    let files = Files::new(&authority, &authority.server(&["localhost"]));
    let check = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_leveret"));
        command.args(["config", "check"]).args(files.flags(&[])).env("LEVERET_CONFIG", "/dev/null");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(), (Some(0), String::new()));
    files.put("cert.pem", "nothing");
    let path = files.path("cert.pem");
    let reason = "there is no certificate (BEGIN CERTIFICATE) in it";
    assert_eq!(check(), (Some(78), format!("leveret: --tls-certfile: {}: {reason}\n", path.display())));
}
