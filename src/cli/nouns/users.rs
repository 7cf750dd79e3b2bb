//! `leveret users`: who there is.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::listing::{Kind, ListFlags};
use crate::auth::Secret;
use crate::cli::client::{Request, path};
use crate::cli::desk::{Desk, DeskFlags};
use crate::cli::failure::Failure;
use crate::cli::target::{ask_for, read_password};

const EXAMPLES: &str = "\
Examples:
  leveret users ls
  leveret users show shop
  leveret users declare shop --new-password-file shop.password
  leveret users declare ops --tags administrator                  asks for the password on a terminal
  leveret users declare probe --tags monitoring --no-password     logs in by certificate alone
  leveret users password shop                                     sets another password
  leveret users delete shop --yes";

const COLUMNS: [&str; 3] = ["name", "tags", "limits"];

/// List, show, declare and delete users.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "user")]
pub(in crate::cli) struct UsersOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    desk: DeskFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List users.
    #[command(visible_alias = "list")]
    Ls(ListFlags),
    /// Show all that is told of a user.
    Show {
        /// The user.
        name: String,
    },
    /// Add a user, or change its tags. A password that is there stays, unless another is given.
    Declare {
        /// The user.
        name: String,
        /// What it may use of the HTTP API, with commas between: management, policymaker, monitoring, administrator
        /// [default: none; those that it has]
        #[arg(long, value_name = "TAG", value_delimiter = ',', num_args = 0..)]
        tags: Option<Vec<String>>,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Set a user's password.
    #[command(visible_alias = "set-password")]
    Password {
        /// The user.
        name: String,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Delete users with their permissions. Their connections are closed.
    Delete {
        /// The users.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// A user's password: never part of the command line, where others could see it.
#[derive(Debug, Args)]
struct NewPassword {
    /// The file that the user's password is read from, '-' for standard input
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// The password's salted hash, as 'rabbitmqctl hash_password' or an export has it
    #[arg(long, value_name = "BASE64", conflicts_with = "new_password_file")]
    password_hash: Option<String>,
    /// What the hash was made with: rabbit_password_hashing_sha256, _sha512 or _md5
    #[arg(long, value_name = "NAME", requires = "password_hash")]
    hashing_algorithm: Option<String>,
    /// No password logs it in
    #[arg(long, conflicts_with_all = ["new_password_file", "password_hash"])]
    no_password: bool,
}

impl NewPassword {
    fn is_given(&self) -> bool {
        self.new_password_file.is_some() || self.password_hash.is_some() || self.no_password
    }

    /// The fields that say so. Asks for it on a terminal when nothing is given.
    fn fields(&self, name: &str) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::new();
        if self.no_password {
            fields.insert("password_hash".to_owned(), json!(""));
        } else if let Some(hash) = &self.password_hash {
            fields.insert("password_hash".to_owned(), json!(hash));
            if let Some(algorithm) = &self.hashing_algorithm {
                fields.insert("hashing_algorithm".to_owned(), json!(algorithm));
            }
        } else {
            let password = match &self.new_password_file {
                Some(file) => read_password(file)?,
                None => asked(name)?,
            };
            let text = std::str::from_utf8(password.expose());
            let text = text.map_err(|_| Failure::data("the password is not UTF-8"))?;
            if text.is_empty() {
                return Err(Failure::data("the password is empty")
                    .helped_by("A user that is to have none is declared with --no-password."));
            }
            fields.insert("password".to_owned(), json!(text));
        }
        Ok(fields)
    }
}

/// Twice, so that a mistake is noticed.
fn asked(name: &str) -> Result<Secret, Failure> {
    let advice = "Give it with --new-password-file FILE ('-' reads standard input), or --no-password for a user that needs none.";
    let ask = |question: &str| ask_for(question).map_err(|failure| failure.helped_by(advice));
    let password = ask(&format!("New password of '{name}': "))?;
    if password == ask("The same again: ")? {
        Ok(password)
    } else {
        Err(Failure::data("these were two different passwords"))
    }
}

/// Does what the command says.
pub(in crate::cli) fn run(options: UsersOptions) -> ExitCode {
    let UsersOptions { verb, desk } = options;
    desk.run(|desk| act(verb, desk))
}

fn act(verb: Verb, desk: &mut Desk) -> Result<(), Failure> {
    match verb {
        Verb::Ls(flags) => flags.show(desk, &Kind { parts: &["users"], columns: &COLUMNS, name: "name" }),
        Verb::Show { name } => {
            let found = find(desk, &name)?;
            desk.output.object_in_order(found, &COLUMNS)
        }
        Verb::Declare { name, tags, password } => {
            let known = match find(desk, &name) {
                Ok(known) => Some(known),
                Err(failure) if failure.is_absence() => None,
                Err(failure) => return Err(failure),
            };
            let mut body = match (&known, password.is_given()) {
                (Some(known), false) => kept(known),
                _ if desk.is_dry_run() => Map::new(),
                _ => password.fields(&name)?,
            };
            let tags = match (tags, &known) {
                (Some(tags), _) => json!(tags),
                (None, Some(known)) => known.get("tags").cloned().unwrap_or(json!([])),
                (None, None) => json!([]),
            };
            body.insert("tags".to_owned(), tags);
            put(desk, &name, body, "declared")
        }
        Verb::Password { name, password } => {
            let known = find(desk, &name)?;
            let mut body = if desk.is_dry_run() { Map::new() } else { password.fields(&name)? };
            body.insert("tags".to_owned(), known.get("tags").cloned().unwrap_or(json!([])));
            put(desk, &name, body, "given another password")
        }
        Verb::Delete { names } => {
            desk.confirm(&format!("delete user '{}'?", names.join("', '")))?;
            desk.each(&names, |desk, name| {
                find(desk, name)?;
                desk.change(&Request::delete(path(&["users", name])), &of(name), "deleted")
            })
        }
    }
}

/// The password that is there, as its hash.
fn kept(known: &Value) -> Map<String, Value> {
    let fields = ["password_hash", "hashing_algorithm"].into_iter();
    fields.filter_map(|name| Some((name.to_owned(), known.get(name)?.clone()))).collect()
}

fn put(desk: &mut Desk, name: &str, body: Map<String, Value>, done: &str) -> Result<(), Failure> {
    desk.change(&Request::put(path(&["users", name]), &Value::Object(body)), &of(name), done)
}

fn find(desk: &mut Desk, name: &str) -> Result<Value, Failure> {
    desk.find(&path(&["users", name]), &of(name))
}

fn of(name: &str) -> String {
    format!("user '{name}'")
}
