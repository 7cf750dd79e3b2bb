//! Sizes that bound what one peer can make the other hold, in bytes unless the name says otherwise.

/// The smallest `frame_max` that a peer may settle on (`frame-min-size` of the specification).
pub const FRAME_MIN_SIZE: u32 = 4096;
/// The `frame_max` that RabbitMQ offers.
pub const FRAME_MAX_DEFAULT: u32 = 131_072;
/// The largest frame before `connection.tune-ok` (RabbitMQ's `initial_frame_max`).
pub const INITIAL_FRAME_MAX: u32 = 8192;
/// The `channel_max` that RabbitMQ offers: open channels of one connection.
pub const CHANNEL_MAX_DEFAULT: u16 = 2047;
/// The heartbeat interval that RabbitMQ offers, in seconds.
pub const HEARTBEAT_DEFAULT: u16 = 60;
/// Tables and arrays inside one another; the outermost counts as one.
pub const TABLE_DEPTH_MAX: usize = 32;
/// Entries of a table, with those of all tables and arrays inside it.
pub const TABLE_ENTRIES_MAX: usize = 4096;
/// RabbitMQ's default for `max_message_size`.
pub const MESSAGE_SIZE_MAX_DEFAULT: u64 = 16_777_216;
/// No configuration allows larger messages (RabbitMQ's cap).
pub const MESSAGE_SIZE_HARD_CAP: u64 = 536_870_912;
/// The octets of a frame around its payload: type, channel, size, end.
pub const FRAME_OVERHEAD: u32 = 8;
