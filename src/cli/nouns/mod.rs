//! What is managed from the command line: a file for each kind of thing, with its verbs.

#![allow(clippy::doc_markdown, reason = "help texts are shown as they are written")]
#![allow(clippy::struct_excessive_bools, reason = "a flag is a bool")]
#![allow(clippy::struct_field_names, reason = "a flag is named by what people write")]

mod arguments;
pub(in crate::cli) mod bindings;
pub(in crate::cli) mod channels;
pub(in crate::cli) mod connections;
pub(in crate::cli) mod consumers;
pub(in crate::cli) mod context;
pub(in crate::cli) mod definitions;
mod duration;
pub(in crate::cli) mod exchanges;
mod filter;
pub(in crate::cli) mod health;
pub(in crate::cli) mod jobs;
pub(in crate::cli) mod limits;
mod listing;
pub(in crate::cli) mod messages;
pub(in crate::cli) mod metrics;
pub(in crate::cli) mod parameters;
pub(in crate::cli) mod permissions;
pub(in crate::cli) mod policies;
pub(in crate::cli) mod queues;
pub(in crate::cli) mod status;
pub(in crate::cli) mod tail;
pub(in crate::cli) mod topic_permissions;
pub(in crate::cli) mod users;
mod vhost;
pub(in crate::cli) mod vhosts;

pub(in crate::cli) use duration::words;
pub(in crate::cli) use vhost::VhostFlag;
