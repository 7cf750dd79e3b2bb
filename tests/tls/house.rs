//! A broker with a port for TLS, and the files that it reads.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::authority::{Authority, Identity};
use crate::support::{Broker, Ended, TempDir};

/// Of a broker to which clients come that do not log in, however long a test takes.
pub(crate) const PATIENT: [&str; 4] = ["--handshake-timeout", "60m", "--tls-handshake-timeout", "60m"];

pub(crate) struct House {
    pub(crate) broker: Broker,
    pub(crate) files: Files,
    /// Where it takes connections over TLS.
    pub(crate) tls: SocketAddr,
}

/// `ca.pem`, `cert.pem` and `key.pem` in a directory of their own.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new(authority: &Authority, server: &Identity) -> Self {
        let files = Self(TempDir::new());
        files.put("ca.pem", &authority.pem());
        files.put_server(server);
        files
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn put_server(&self, server: &Identity) {
        self.put("cert.pem", &server.chain);
        self.put("key.pem", &server.key);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The flags that name them, with more of them.
    pub(crate) fn flags(&self, more: &[&str]) -> Vec<String> {
        let named = |flag: &str, name: &str| [flag.to_owned(), self.path(name).to_str().unwrap().to_owned()];
        let more = more.iter().map(|flag| (*flag).to_owned());
        [["--listeners-tls".to_owned(), "127.0.0.1:0".to_owned()]]
            .into_iter()
            .chain([named("--tls-cacertfile", "ca.pem")])
            .chain([named("--tls-certfile", "cert.pem"), named("--tls-keyfile", "key.pem")])
            .flatten()
            .chain(more)
            .collect()
    }
}

impl House {
    /// A broker that shows a certificate of `localhost` which `authority` has signed, with more flags.
    pub(crate) fn new(authority: &Authority, flags: &[&str]) -> Self {
        let files = Files::new(authority, &authority.server(&["localhost"]));
        Self::with(files, flags)
    }

    pub(crate) fn with(files: Files, flags: &[&str]) -> Self {
        let mut broker = Broker::start_with(&files.flags(flags));
        let announcement = "started TLS (SSL) listener on ";
        let line = broker.wait_for_line(announcement);
        let (_, address) = line.split_once(announcement).unwrap();
        let tls = address.trim().parse().unwrap();
        Self { broker, files, tls }
    }

    /// One to which clients with certificates may come.
    pub(crate) fn verifying(authority: &Authority, flags: &[&str]) -> Self {
        let flags = [&["--tls-verify", "verify_peer"], flags].concat();
        Self::new(authority, &flags)
    }

    pub(crate) fn stop(self) -> Ended {
        self.broker.stop()
    }
}
