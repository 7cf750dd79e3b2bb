#![no_main]

#[path = "../bodies.rs"]
#[allow(dead_code, reason = "each target calls its own")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::properties(data));
