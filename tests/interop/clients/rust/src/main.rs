//! Rust's AMQP clients: the first argument says which. See the README.md of the interop tests for the line protocol.

mod control;
mod expect;
mod on_amqprs;
mod on_deadpool;
mod on_lapin;
mod scenario;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let scenarios = match arguments.first().map(String::as_str) {
        Some("lapin") => on_lapin::scenarios(),
        Some("amqprs") => on_amqprs::scenarios(),
        Some("deadpool-lapin") => on_deadpool::scenarios(),
        _ => {
            eprintln!("usage: leveret-interop lapin|amqprs|deadpool-lapin [--list]");
            return ExitCode::from(64);
        }
    };
    if arguments.get(1).is_some_and(|argument| argument == "--list") {
        println!("{}", scenarios.list());
        return ExitCode::SUCCESS;
    }
    match scenarios.answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
