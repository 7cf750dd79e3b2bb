//! Managing a broker over HTTP, as RabbitMQ's management plugin does it.
//!
//! ```text
//! server      sockets, limits, the thread of its own
//! front       the prefix of paths, what moved, what browsers are told
//! guard       what a browser may not do in somebody's name
//! router      endpoints -> axum; one way from request to answer
//! login       who asks          permit      whether it may
//! call        what is asked     listing     pages, order, columns
//! failure     what is answered when it cannot be done
//! direct      a channel without a socket: what clients may do is done as they do it
//! endpoints   the table: method, path, who may, what serves it
//! openapi     the same for programs, with what is sent and answered
//! leveret     what RabbitMQ's API does not have: below /api/leveret
//! ```
//!
//! An endpoint is a row of the table in `endpoints` and a function from a `call` to an answer; how it is reached,
//! who may use it and what it answers to mistakes is the same for all. Functions may wait for the disk: they run on
//! threads of their own, and look at one queue at a time.

#![allow(clippy::unnecessary_wraps, reason = "all endpoints are served by functions of one form")]

mod answer;
mod call;
mod direct;
mod endpoint;
mod endpoints;
mod failure;
mod fields;
mod front;
mod guard;
mod listing;
mod login;
mod monitor;
mod page;
mod permit;
mod query;
mod router;
mod server;
mod site;
pub(crate) mod stand_ins;
pub mod statistics;
mod wire_json;

mod attempts;
mod bindings;
mod channels;
mod comers;
mod connections;
mod consumers;
mod control;
mod definitions;
mod exchanges;
mod features;
mod health;
mod leveret;
mod limits;
mod messages;
mod multipart;
mod nodes;
mod openapi;
mod overview;
mod parameters;
mod patient;
mod permissions;
mod policies;
mod queues;
mod quorum;
mod topic_permissions;
mod users;
mod vhosts;

pub(crate) use answer::{html, json};
pub use endpoint::{Endpoint, Method, Needs};
pub use endpoints::ENDPOINTS;
pub use front::front;
pub use leveret::Jobs;
pub(crate) use monitor::{monitor, no_object};
pub(crate) use query::Query;
pub use server::{By, Comer, Entrance, Served, Server};
pub use site::{Listening, Site};
