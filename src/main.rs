//! The `leveret` program: server and command line.

use std::process::ExitCode;
use std::time::Instant;

use leveret::alarm::heap::CountedHeap;
use mimalloc::MiMalloc;

#[global_allocator]
static HEAP: CountedHeap<MiMalloc> = CountedHeap(MiMalloc);

fn main() -> ExitCode {
    leveret::cli::run(Instant::now())
}
