//! RabbitMQ's client of the HTTP API: each of its calls, and what it makes of the answer. A field that it wants and does
//! not get is a mistake of its own.

mod absent;
mod complete;
mod connections;
mod definitions;
mod exchanges;
mod features;
mod health;
mod messages;
mod node;
mod openapi;
mod parameters;
mod policies;
mod queues;
mod users;
mod vhosts;
mod waited;
