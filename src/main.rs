//! The `leveret` program: server and command line.

fn main() {}
