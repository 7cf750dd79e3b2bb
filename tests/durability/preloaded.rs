//! Libraries of a few lines that are loaded into the broker's process before the C library, and take the place of some of its
//! functions. They need a C compiler, as the broker itself does.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The library of a source beside this file, made in a folder.
pub(crate) fn compiled(source: &str, folder: &Path) -> PathBuf {
    let library = folder.join(source).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/durability").join(source);
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    let output = compile.output().unwrap_or_else(|error| panic!("cc, a C compiler: {error}"));
    assert!(output.status.success(), "{output:?}");
    library
}
