//! Definitions: everything but messages, as JSON.

use std::io::{self, Read};

use serde_json::Value;

use super::desk::Desk;
use super::output::Found;
use super::trouble::Trouble;
use crate::cli::exit;

type Done = Result<Found, Trouble>;

/// The name of a file that stands for standard output or input.
const STANDARD: &str = "-";

pub(super) fn export_definitions(desk: &mut Desk) -> Done {
    let file = desk.argument(0).to_owned();
    if file != STANDARD {
        desk.say(&format!("Exporting definitions in JSON to a file at \"{file}\" ..."))?;
    }
    let definitions = desk.get(&["definitions"])?;
    if file == STANDARD {
        return Ok(Found::Text(format!("{definitions}\n"), Some(definitions)));
    }
    std::fs::write(&file, definitions.to_string())
        .map_err(|error| Trouble::new(exit::CANNOT_CREATE, format!("{file} cannot be written: {error}")))?;
    Ok(Found::Nothing)
}

pub(super) fn import_definitions(desk: &mut Desk) -> Done {
    let file = desk.find(0).unwrap_or(STANDARD).to_owned();
    let mut octets = Vec::new();
    let read = match file.as_str() {
        STANDARD => io::stdin().lock().read_to_end(&mut octets).map(drop),
        file => std::fs::read(file).map(|read| octets = read),
    };
    read.map_err(|error| Trouble::data(format!("File {file} cannot be read: {error}")))?;
    desk.say(&format!("Importing definitions in JSON from a file at \"{file}\" ..."))?;
    let definitions: Value = serde_json::from_slice(&octets)
        .map_err(|error| Trouble::data(format!("{file} is not JSON: {error}")))?;
    desk.post(&["definitions"], &definitions)?;
    desk.say("Successfully imported definitions.")?;
    Ok(Found::Nothing)
}
