//! The codes that the process ends with, from `sysexits.h` where it has one.

/// A second signal ended the process before its connections were closed.
pub(super) const STOPPED_AT_ONCE: u8 = 1;
/// Two things that were compared are not the same, as `diff` has it.
pub(super) const DIFFERENT: u8 = 1;
/// Some of what was asked for was done, and some was not.
pub(super) const PARTIAL: u8 = 3;
/// The command line cannot be followed.
pub(super) const USAGE: u8 = 64;
/// What was given, or what the broker answered, cannot be used.
pub(super) const DATA: u8 = 65;
/// A file that is to be read, or the thing that is asked for, is not there.
pub(super) const NO_INPUT: u8 = 66;
/// There is no such host.
pub(super) const NO_HOST: u8 = 68;
/// No broker answers; of a server: a port is taken or may not be used, or the operating system refuses a thread.
pub(super) const UNAVAILABLE: u8 = 69;
/// The broker failed at what it was asked for; of a server: the disk failed, nothing could be made durable any more.
pub(super) const SOFTWARE: u8 = 70;
/// The data directory is in use or cannot be written, or a file cannot be made.
pub(super) const CANNOT_CREATE: u8 = 73;
/// It took too long, or was cut off: another try may succeed.
pub(super) const TRY_AGAIN: u8 = 75;
/// What answers does not speak as a broker does.
pub(super) const PROTOCOL: u8 = 76;
/// Whoever asks may not do that.
pub(super) const NO_PERMISSION: u8 = 77;
/// The configuration cannot be served.
pub(super) const CONFIGURATION: u8 = 78;
