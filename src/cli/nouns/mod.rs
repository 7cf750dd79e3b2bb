//! What is managed from the command line: a file for each kind of thing, with its verbs.

#![allow(clippy::doc_markdown, reason = "help texts are shown as they are written")]
#![allow(clippy::struct_excessive_bools, reason = "a flag is a bool")]

mod arguments;
pub(in crate::cli) mod bindings;
pub(in crate::cli) mod connections;
pub(in crate::cli) mod context;
pub(in crate::cli) mod definitions;
pub(in crate::cli) mod exchanges;
pub(in crate::cli) mod health;
mod listing;
pub(in crate::cli) mod messages;
pub(in crate::cli) mod queues;
pub(in crate::cli) mod status;
mod vhost;
