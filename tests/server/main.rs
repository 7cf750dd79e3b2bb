//! The server as a program: its flags, its log, its data directory, and the codes that it ends with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends when something is not as it must be"
)]

#[path = "../support/mod.rs"]
mod support;

mod configuration;
mod container;
mod data_directory;
mod descriptors;
mod log;
mod refusals;
mod stop;
mod supervisor;

use std::process::{Command, Output, Stdio};

/// Runs the program until it ends by itself.
fn leveret(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leveret"))
        .args(arguments)
        .env("LEVERET_CONFIG", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
