//! Every call that the client has is made by a check, or stands here with the reason why it is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Calls without a meaning here.
const WITHOUT_MEANING: [(&str, &str); 7] = [
    ("declare_amqp10_shovel", "a shovel is kept as a parameter, whatever it speaks: `shovels_are_kept`"),
    ("schema_definition_sync_status", "VMware Tanzu"),
    ("enable_schema_definition_sync_on_node", "VMware Tanzu"),
    ("disable_schema_definition_sync_on_node", "VMware Tanzu"),
    ("enable_schema_definition_sync", "VMware Tanzu"),
    ("disable_schema_definition_sync", "VMware Tanzu"),
    ("warm_standby_replication_status", "VMware Tanzu"),
];

/// Where the client's own source is.
fn client() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    // Without the platform it would ask for crates that nobody needed so far.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let told = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &platform])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let client = packages.iter().find(|package| package["name"] == "rabbitmq_http_client").unwrap();
    Path::new(client["manifest_path"].as_str().unwrap()).parent().unwrap().join("src/blocking_api")
}

fn texts(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_call_of_the_client_is_made_or_has_no_meaning_here() {
    let texts_of_client = texts(&client());
    let functions = texts_of_client.iter().flat_map(|text| text.split("pub fn ").skip(1));
    let calls: BTreeSet<&str> = functions
        .filter(|function| function.split(')').next().unwrap().contains("&self"))
        .map(|function| function.split(['(', '<']).next().unwrap())
        .collect();
    assert!(calls.len() > 150, "{calls:?}");
    let checks = texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("client"));
    let made = |call: &str| checks.iter().any(|text| text.contains(&format!(".{call}(")));
    let known = |call: &str| WITHOUT_MEANING.iter().any(|(name, _)| *name == call);
    let unmade: Vec<_> = calls.iter().filter(|call| !made(call) && !known(call)).collect();
    assert!(unmade.is_empty(), "{unmade:?}");
    let gone: Vec<_> =
        WITHOUT_MEANING.iter().filter(|(call, _)| !calls.contains(call) || made(call)).collect();
    assert!(gone.is_empty(), "listed in vain: {gone:?}");
}
