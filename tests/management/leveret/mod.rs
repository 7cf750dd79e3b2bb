//! What only this broker has, below `/api/leveret`.

mod ages;
mod house;
mod messages;
mod moving;
mod operate;
mod route;
mod scheduled;
