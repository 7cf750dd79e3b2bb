//! `leveret context`: brokers that are saved under names.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::client::Endpoint;
use crate::cli::failure::Failure;
use crate::cli::output::OutputFlags;
use crate::cli::target::{Context, Contexts};

const EXAMPLES: &str = "\
Examples:
  leveret context save work --url https://mq.example.com:15671 --user ops --password-file ~/.mq
  leveret context save here --url unix:///var/lib/leveret/leveret.sock --vhost shop
  leveret context use work                  commands are for that broker from now on
  leveret context use --none                and again for the one on this machine
  leveret context ls
  leveret context show work
  leveret context delete work";

/// Save brokers under names, and say which is meant.
///
/// They are kept in leveret/contexts.json below XDG_CONFIG_HOME or ~/.config. Passwords are not kept: a file with one is named
/// instead, or the password is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct ContextOptions {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the brokers that are saved.
    #[command(visible_alias = "list")]
    Ls,
    /// Show what is saved of one.
    Show {
        /// The context [default: the one in use]
        name: Option<String>,
    },
    /// Save a broker under a name, in place of another with that name.
    Save(Saving),
    /// Have commands be for a broker from now on.
    Use {
        /// The context.
        #[arg(required_unless_present = "none")]
        name: Option<String>,
        /// For none that is saved.
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// Forget a broker.
    Delete {
        /// The context.
        name: String,
    },
}

/// What is to be saved.
#[derive(Debug, Args)]
struct Saving {
    /// The name to save it under.
    name: String,
    /// The broker's HTTP API: http://HOST:15672, https://HOST:15671 or unix:///PATH; without a password
    #[arg(long, value_name = "URL")]
    url: String,
    /// As whom to ask
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file that the password is read from each time
    #[arg(long, value_name = "FILE")]
    password_file: Option<std::path::PathBuf>,
    /// Whose certificates are trusted, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<std::path::PathBuf>,
    /// The virtual host that commands are about
    #[arg(long, short = 'p', value_name = "VHOST")]
    vhost: Option<String>,
    /// Use it from now on
    #[arg(long = "use")]
    use_it: bool,
}

/// Does what the command says.
pub(in crate::cli) fn run(options: ContextOptions) -> ExitCode {
    match act(options.verb, &options.output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn act(verb: Verb, output: &OutputFlags) -> Result<(), Failure> {
    let mut contexts = Contexts::read()?;
    match verb {
        Verb::Ls => {
            let in_use = contexts.in_use();
            let rows = contexts.all().map(|(name, context)| row(name, context, in_use));
            output.list(rows.collect(), &["name", "in_use", "url", "user", "vhost"])
        }
        Verb::Show { name } => {
            let name = name.as_deref().or(contexts.in_use()).ok_or_else(|| {
                Failure::usage("no context is in use").helped_by("Name one: 'leveret context ls' lists them.")
            })?;
            output.object(row(name, contexts.named(name)?, contexts.in_use()))
        }
        Verb::Save(saving) => {
            let Saving { name, url, user, password_file, ca_file, vhost, use_it } = saving;
            let (_, login) = Endpoint::read(&url)
                .map_err(|why| Failure::usage("--url is no URL of a broker").because(why))?;
            if let Some(login) = login
                && !login.password.expose().is_empty()
            {
                return Err(Failure::usage("passwords are not saved")
                    .because("the URL has one")
                    .helped_by("Leave it out, and name a file with it: --user NAME --password-file FILE."));
            }
            let absolute = |path: std::path::PathBuf| std::path::absolute(&path).unwrap_or(path);
            let (password_file, ca_file) = (password_file.map(absolute), ca_file.map(absolute));
            contexts.save(&name, Context { url, user, password_file, ca_file, vhost });
            if use_it {
                contexts.use_by_default(&name)?;
            }
            contexts.write()?;
            output.done(&format!("context '{name}' saved{}", if use_it { ", and in use" } else { "" }))
        }
        Verb::Use { name: Some(name), .. } => {
            contexts.use_by_default(&name)?;
            contexts.write()?;
            output.done(&format!("context '{name}' in use"))
        }
        Verb::Use { name: None, .. } => {
            contexts.use_none();
            contexts.write()?;
            output.done("no context in use")
        }
        Verb::Delete { name } => {
            contexts.forget(&name)?;
            contexts.write()?;
            output.done(&format!("context '{name}' deleted"))
        }
    }
}

fn row(name: &str, context: &Context, in_use: Option<&str>) -> Value {
    let mut row = context.json();
    if let Some(fields) = row.as_object_mut() {
        fields.insert("name".to_owned(), json!(name));
        fields.insert("in_use".to_owned(), json!(in_use == Some(name)));
    }
    row
}
