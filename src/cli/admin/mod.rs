//! `rabbitmqadmin`, by the name that the binary is called with or as a first word: the commands of both of its versions that
//! scripts use.

mod desk;
mod messages;
mod objects;
mod show;
mod words;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::failure::Failure;
use super::output::print;
use desk::Desk;
use words::Words;

/// The program's name.
const NAME: &str = "rabbitmqadmin";

const HELP: &str = "\
Usage

rabbitmqadmin [-H HOST] [-P PORT] [-u USER] [-p PASSWORD] [-V VHOST] [-q] [-f FORMAT] COMMAND [FIELD=VALUE ...]

Fields are said as name=orders or as --name orders.

   list OBJECTS [COLUMN ...]      queues, exchanges, bindings, connections, channels, consumers, vhosts, users, ...
   show overview
   declare queue name=... [durable=...] [auto_delete=...] [arguments=...] [queue_type=...]
   declare exchange name=... type=... [durable=...] [auto_delete=...] [internal=...] [arguments=...]
   declare binding source=... destination=... [destination_type=...] [routing_key=...] [arguments=...]
   declare vhost name=... | user name=... password=... tags=... | permissions user=... configure=... write=... read=...
   declare policy name=... pattern=... definition=... [priority=...] [apply_to=...]
   delete OBJECT name=...
   purge queue name=...
   publish exchange=... routing_key=... [payload=...] [properties=...]
   get queue=... [count=...] [ackmode=...]
   close connection name=...
   export FILE | import FILE

Formats: table, tsv, kvp, long, bash, raw_json, pretty_json. Without -H, -U or -u the broker is found as 'leveret' finds it.
'leveret --help' tells what else there is.
";

/// What follows the program's name, if it is this one.
pub(super) fn meant(arguments: &[OsString]) -> Option<Vec<String>> {
    let is_it = |name: &OsString| Path::new(name).file_name().is_some_and(|name| name == NAME);
    let from = [0, 1].into_iter().find(|at| arguments.get(*at).is_some_and(is_it))?;
    Some(arguments.iter().skip(from + 1).map(|word| word.to_string_lossy().into_owned()).collect())
}

/// Does what a command line says.
pub(super) fn run(words: Vec<String>) -> ExitCode {
    match obeyed(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn obeyed(words: Vec<String>) -> Result<(), Failure> {
    let words = Words::read(words)?;
    let Some(verb) = words.plain.first().cloned().filter(|verb| verb != "help" && !words.has("help")) else {
        return print(HELP);
    };
    let command: fn(&mut Desk) -> Result<(), Failure> = match verb.as_str() {
        "list" => show::list,
        "show" => show::show,
        "declare" => objects::declare,
        "delete" => objects::delete,
        "purge" => objects::purge,
        "close" => objects::close,
        "publish" => messages::publish,
        "get" => messages::get,
        "export" => messages::export,
        "import" => messages::import,
        "definitions" if words.plain.get(1).is_some_and(|word| word == "export") => messages::export,
        "definitions" if words.plain.get(1).is_some_and(|word| word == "import") => messages::import,
        _ => {
            return Err(Failure::usage(format!("there is no command '{verb}'"))
                .helped_by("See 'rabbitmqadmin --help'."));
        }
    };
    command(&mut Desk::new(words)?)
}
