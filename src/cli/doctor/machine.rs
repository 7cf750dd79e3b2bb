//! The limits of this machine, and of the process that the broker will be.

use rustix::process::{Resource, getrlimit};

use super::{Finding, size};
use crate::alarm::granted_memory;
use crate::config::Config;
use crate::net::{TlsServer, connections_with};

/// With less, a few thousand connections use them up.
const DESCRIPTORS: u64 = 65_536;
/// With less, the broker has room for little more than itself.
const MEMORY_BYTES: u64 = 256 << 20;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![memory(config), descriptors(config)];
    findings.extend(tls(config));
    findings
}

fn memory(config: &Config) -> Finding {
    let check = "memory";
    let granted = granted_memory(config.total_memory);
    let limit = config.memory_limit.bytes(granted);
    if granted == u64::MAX {
        let advice = "Set memory_limit to a number of bytes.";
        return Finding::warning(check, "how much there is cannot be read", advice);
    }
    let found = format!("{} granted, publishers are blocked from {} on", size(granted), size(limit));
    if limit > granted {
        return Finding::failed(check, found, "Set memory_limit to less than is granted, such as 60%.");
    }
    if limit < MEMORY_BYTES {
        return Finding::warning(check, found, "That is little: grant more, or raise memory_limit.");
    }
    Finding::well(check, found)
}

fn descriptors(config: &Config) -> Finding {
    let check = "descriptors";
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let found = format!("up to {most}, which leaves room for {} connections", connections_with(most));
    let wanted = config.max_connections.and_then(|max| u64::try_from(max).ok()).unwrap_or(0);
    if wanted > connections_with(most) {
        let advice = format!(
            "max_connections is {wanted}: raise the limit (ulimit -Hn, LimitNOFILE=), or lower that."
        );
        return Finding::failed(check, found, advice);
    }
    if most < DESCRIPTORS {
        let advice = format!("Raise the hard limit to {DESCRIPTORS} or more (ulimit -Hn, LimitNOFILE=).");
        return Finding::warning(check, found, advice);
    }
    Finding::well(check, found)
}

/// Whether what TLS needs can be read.
fn tls(config: &Config) -> Option<Finding> {
    if config.tls.listeners.is_empty() {
        return None;
    }
    Some(match TlsServer::read(&config.tls) {
        Ok(server) => Finding::well("TLS", format!("certificate of {}", server.certificate().subject)),
        Err(error) => {
            let advice = "Mend that key, or the file that it names.";
            Finding::failed("TLS", format!("{}: {}", error.key, error.reason), advice)
        }
    })
}
