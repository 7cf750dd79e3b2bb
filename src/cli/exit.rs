//! The codes that the process ends with, from `sysexits.h` where it has one.

/// The command line cannot be followed.
pub(super) const USAGE: u8 = 2;
/// A port is taken or may not be used, or the operating system refuses a thread.
pub(super) const UNAVAILABLE: u8 = 69;
/// The disk failed: nothing could be made durable any more.
pub(super) const DISK_FAILED: u8 = 70;
/// The data directory is in use or cannot be written.
pub(super) const CANNOT_CREATE: u8 = 73;
/// The configuration cannot be served.
pub(super) const CONFIGURATION: u8 = 78;
/// A second signal ended the process before its connections were closed.
pub(super) const STOPPED_AT_ONCE: u8 = 1;
