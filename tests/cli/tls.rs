//! A broker that is asked over TLS, and whose certificate it is.

use crate::authority::{Authority, Identity};
use crate::shell::Shell;
use crate::support::TempDir;

/// A broker that shows this, and where it does.
fn showing(files: &TempDir, shown: &Identity) -> (Shell, String) {
    let put = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (put("server.pem", &shown.chain), put("server.key", &shown.key));
    let flags = [
        &["--management-tls-listen", "127.0.0.1:0"][..],
        &["--management-tls-certfile", &certificate, "--management-tls-keyfile", &key],
    ];
    let mut shell = Shell::with(&flags.concat());
    let announcement = "Management plugin: HTTPS listener started on 127.0.0.1:";
    let line = shell.broker.wait_for_line(announcement);
    let port = line.split_once(announcement).unwrap().1.trim().to_owned();
    (shell, port)
}

#[test]
fn a_certificate_is_believed_if_whom_one_trusts_has_signed_it_for_that_name() {
    let (authority, other) = (Authority::new("A"), Authority::new("B"));
    let files = TempDir::new();
    for (shown, trusted, host, code, text) in [
        (authority.server(&["localhost"]), &authority, "localhost", 0, "asked_at\thttps://localhost"),
        (authority.server(&["localhost"]), &other, "localhost", 76, "it is signed by nobody who is trusted"),
        (authority.server(&["localhost"]), &authority, "127.0.0.1", 76, "it is not for '127.0.0.1'"),
        (authority.expired_server(&["localhost"]), &authority, "localhost", 76, "it has expired"),
    ] {
        let (shell, port) = showing(&files, &shown);
        shell.file("trusted.pem", trusted.pem().as_bytes());
        let ask = format!("leveret status --columns asked_at --url https://guest:guest@{host}:{port}");
        let said = shell.run(&format!("{ask} --ca-file trusted.pem"));
        assert_eq!(said.code, code, "{text}: {said:?}");
        assert!(said.output.contains(text) || said.error.contains(text), "{text}: {said:?}");
        assert!(code == 0 || said.error.lines().count() == 2, "what next: {said:?}");
    }
}
