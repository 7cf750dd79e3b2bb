//! The reply codes of `connection.close`, `channel.close` and `basic.return`.

use std::fmt;

macro_rules! reply_codes {
    ($($(#[$doc:meta])* $Variant:ident = $code:literal $name:literal $soft:literal,)*) => {
        /// A reply code of the specification's constants.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReplyCode {
            $($(#[$doc])* $Variant,)*
        }

        impl ReplyCode {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$Variant),*];

            /// The number on the wire.
            pub const fn code(self) -> u16 {
                match self { $(Self::$Variant => $code,)* }
            }

            /// The name that opens a reply text, as in `NOT_FOUND - no queue 'x' in vhost '/'`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name,)* }
            }

            /// Whether the code closes a channel only; the others close the connection.
            pub const fn is_soft(self) -> bool {
                match self { $(Self::$Variant => $soft,)* }
            }
        }
    };
}

reply_codes! {
    /// The normal end.
    ReplySuccess = 200 "REPLY_SUCCESS" true,
    /// The content is larger than the server takes at present.
    ContentTooLarge = 311 "CONTENT_TOO_LARGE" true,
    /// A mandatory message has no queue to go to.
    NoRoute = 312 "NO_ROUTE" true,
    /// An immediate message has no consumer to go to.
    NoConsumers = 313 "NO_CONSUMERS" true,
    /// An operator or the server's end closed the connection.
    ConnectionForced = 320 "CONNECTION_FORCED" false,
    /// The virtual host is unknown.
    InvalidPath = 402 "INVALID_PATH" false,
    /// The user may not do this.
    AccessRefused = 403 "ACCESS_REFUSED" true,
    /// The queue or exchange does not exist.
    NotFound = 404 "NOT_FOUND" true,
    /// The queue belongs to another connection.
    ResourceLocked = 405 "RESOURCE_LOCKED" true,
    /// The request does not fit the state of its object.
    PreconditionFailed = 406 "PRECONDITION_FAILED" true,
    /// The frame cannot be decoded.
    FrameError = 501 "FRAME_ERROR" false,
    /// A field has an illegal value.
    SyntaxError = 502 "SYNTAX_ERROR" false,
    /// The method makes no sense here.
    CommandInvalid = 503 "COMMAND_INVALID" false,
    /// The channel is not open, or open already.
    ChannelError = 504 "CHANNEL_ERROR" false,
    /// The frame makes no sense here.
    UnexpectedFrame = 505 "UNEXPECTED_FRAME" false,
    /// The server lacks the resources.
    ResourceError = 506 "RESOURCE_ERROR" false,
    /// The client may not work with this object this way.
    NotAllowed = 530 "NOT_ALLOWED" false,
    /// The server does not support this.
    NotImplemented = 540 "NOT_IMPLEMENTED" false,
    /// The server failed.
    InternalError = 541 "INTERNAL_ERROR" false,
}

impl ReplyCode {
    /// The reply code of a number on the wire.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|reply| reply.code() == code)
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
