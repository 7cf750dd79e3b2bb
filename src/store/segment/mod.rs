//! Segments: files of a queue with blocks of packed messages that outlived the journal or left memory.

pub mod block;
