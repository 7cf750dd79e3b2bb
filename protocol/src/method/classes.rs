//! Every method with its arguments, once.
//!
//! A line reads: id, struct, name, who sends it, `(reserved fields before)`, arguments, `(reserved fields after)`.

use super::{MethodError, Sender};
use crate::table::Table;
use crate::wire::{Field, FieldError, Reader, Writer};

macro_rules! methods {
    ($(
        $(#[$class_doc:meta])*
        $class_id:literal $Class:ident $class:ident $(<$class_lt:lifetime>)? {$(
            $(#[$doc:meta])*
            $id:literal $Name:ident $(<$lt:lifetime>)? $name:literal $Sender:ident
            $(($($before:ty),+))? { $($field:ident: $type:ty),* $(,)? } $(($($after:ty),+))?
        )*}
    )*) => {
        $(
            $(#[$class_doc])*
            #[allow(missing_docs, unused_imports, clippy::struct_excessive_bools, reason = "the specification's fields")]
            pub mod $class {
                use super::{Field, FieldError, Reader, Table, Writer};

                /// The number of the class.
                pub const CLASS_ID: u16 = $class_id;

                $(
                    $(#[$doc])*
                    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
                    pub struct $Name $(<$lt>)? {
                        $(pub $field: $type,)*
                    }

                    impl $(<$lt>)? $Name $(<$lt>)? {
                        /// Class and method id.
                        pub const ID: (u16, u16) = ($class_id, $id);
                        /// The name in the specification, with that of the class.
                        pub const NAME: &'static str = concat!(stringify!($class), ".", $name);

                        #[inline]
                        #[allow(unused_variables, clippy::unnecessary_wraps)]
                        pub(crate) fn read(reader: &mut Reader $(<$lt>)?) -> Result<Self, FieldError> {
                            $($(<$before as Field>::read(reader)?;)+)?
                            $(let $field = <$type as Field>::read(reader)?;)*
                            $($(<$after as Field>::read(reader)?;)+)?
                            Ok(Self { $($field),* })
                        }

                        #[inline]
                        #[allow(unused_variables, clippy::trivially_copy_pass_by_ref)]
                        pub(crate) fn write(&self, writer: &mut Writer<'_>) {
                            $($(<$before>::default().write(writer);)+)?
                            $(self.$field.write(writer);)*
                            $($(<$after>::default().write(writer);)+)?
                        }
                    }

                    impl<'a> From<$Name $(<$lt>)?> for super::Method<'a> {
                        #[inline]
                        fn from(method: $Name $(<$lt>)?) -> Self {
                            Self::$Class(Method::$Name(method))
                        }
                    }
                )*

                /// A method of the class.
                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub enum Method $(<$class_lt>)? {
                    $(
                        $(#[$doc])*
                        $Name($Name $(<$lt>)?),
                    )*
                }
            }
        )*

        /// A method.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Method<'a> {
            $(
                $(#[$class_doc])*
                $Class($class::Method $(<$class_lt>)?),
            )*
        }

        impl<'a> Method<'a> {
            /// The ids and names of every method of the list.
            pub const ALL: &'static [(u16, u16, &'static str)] = &[$($(
                ($class_id, $id, concat!(stringify!($class), ".", $name)),
            )*)*];

            #[inline(never)]
            pub(super) fn read(class_id: u16, method_id: u16, reader: &mut Reader<'a>) -> Result<Self, MethodError> {
                Ok(match (class_id, method_id) {
                    $($(
                        ($class_id, $id) => Self::$Class($class::Method::$Name($class::$Name::read(reader)?)),
                    )*)*
                    _ => return Err(MethodError::Unknown),
                })
            }

            pub(super) fn write(&self, writer: &mut Writer<'_>) {
                match self {
                    $($(Self::$Class($class::Method::$Name(method)) => method.write(writer),)*)*
                }
            }

            /// Class and method id.
            pub const fn id(&self) -> (u16, u16) {
                match self {
                    $($(Self::$Class($class::Method::$Name(_)) => ($class_id, $id),)*)*
                }
            }

            /// The name in the specification, as `queue.declare-ok`.
            pub const fn name(&self) -> &'static str {
                match self {
                    $($(
                        Self::$Class($class::Method::$Name(_)) => concat!(stringify!($class), ".", $name),
                    )*)*
                }
            }

            pub(super) const fn sender(&self) -> Sender {
                match self {
                    $($(Self::$Class($class::Method::$Name(_)) => Sender::$Sender,)*)*
                }
            }
        }
    };
}

methods! {
    /// The connection as a whole; on channel 0 only.
    10 Connection connection<'a> {
        /// The server's opening: version, properties, what it offers.
        10 Start<'a> "start" Server {
            version_major: u8, version_minor: u8, server_properties: Table<'a>, mechanisms: &'a [u8], locales: &'a [u8],
        }
        /// The client's choice of mechanism and locale.
        11 StartOk<'a> "start-ok" Client {
            client_properties: Table<'a>, mechanism: &'a str, response: &'a [u8], locale: &'a str,
        }
        /// A further challenge of the security mechanism.
        20 Secure<'a> "secure" Server { challenge: &'a [u8] }
        /// The answer to the challenge.
        21 SecureOk<'a> "secure-ok" Client { response: &'a [u8] }
        /// The server's limits; the heartbeat is in seconds.
        30 Tune "tune" Server { channel_max: u16, frame_max: u32, heartbeat: u16 }
        /// The limits that the client settles on.
        31 TuneOk "tune-ok" Client { channel_max: u16, frame_max: u32, heartbeat: u16 }
        /// Enters a virtual host.
        40 Open<'a> "open" Client { virtual_host: &'a str } (&str, bool)
        /// The virtual host is entered.
        41 OpenOk "open-ok" Server (&str) {}
        /// Ends the connection, saying why; the ids are those of the offending method, or zero.
        50 Close<'a> "close" Both { reply_code: u16, reply_text: &'a str, class_id: u16, method_id: u16 }
        /// The end is agreed.
        51 CloseOk "close-ok" Both {}
        /// RabbitMQ: the server reads no more publishes for now.
        60 Blocked<'a> "blocked" Server { reason: &'a str }
        /// RabbitMQ: the server reads publishes again.
        61 Unblocked "unblocked" Server {}
        /// RabbitMQ: a new secret for a credential that expires.
        70 UpdateSecret<'a> "update-secret" Client { new_secret: &'a [u8], reason: &'a str }
        /// The new secret is in use.
        71 UpdateSecretOk "update-secret-ok" Server {}
    }
    /// One channel.
    20 Channel channel<'a> {
        /// Opens the channel.
        10 Open "open" Client (&str) {}
        /// The channel is open.
        11 OpenOk "open-ok" Server (&[u8]) {}
        /// Starts or stops the flow of content from the peer.
        20 Flow "flow" Both { active: bool }
        /// The flow is as asked.
        21 FlowOk "flow-ok" Both { active: bool }
        /// Ends the channel, saying why; the ids are those of the offending method, or zero.
        40 Close<'a> "close" Both { reply_code: u16, reply_text: &'a str, class_id: u16, method_id: u16 }
        /// The end is agreed.
        41 CloseOk "close-ok" Both {}
    }
    /// Access tickets of AMQP 0-9, which old clients still ask for.
    30 Access access<'a> {
        /// Asks for a ticket.
        10 Request<'a> "request" Client {
            realm: &'a str, exclusive: bool, passive: bool, active: bool, write: bool, read: bool,
        }
        /// The ticket, which nothing reads.
        11 RequestOk "request-ok" Server { ticket: u16 }
    }
    /// Exchanges.
    40 Exchange exchange<'a> {
        /// Makes an exchange or checks that it exists.
        10 Declare<'a> "declare" Client (u16) {
            exchange: &'a str, type_: &'a str, passive: bool, durable: bool, auto_delete: bool, internal: bool,
            no_wait: bool, arguments: Table<'a>,
        }
        /// The exchange exists.
        11 DeclareOk "declare-ok" Server {}
        /// Deletes an exchange.
        20 Delete<'a> "delete" Client (u16) { exchange: &'a str, if_unused: bool, no_wait: bool }
        /// The exchange is gone.
        21 DeleteOk "delete-ok" Server {}
        /// RabbitMQ: binds an exchange (destination) to another (source).
        30 Bind<'a> "bind" Client (u16) {
            destination: &'a str, source: &'a str, routing_key: &'a str, no_wait: bool, arguments: Table<'a>,
        }
        /// The binding exists.
        31 BindOk "bind-ok" Server {}
        /// RabbitMQ: undoes `exchange.bind`.
        40 Unbind<'a> "unbind" Client (u16) {
            destination: &'a str, source: &'a str, routing_key: &'a str, no_wait: bool, arguments: Table<'a>,
        }
        /// The binding is gone.
        51 UnbindOk "unbind-ok" Server {}
    }
    /// Queues.
    50 Queue queue<'a> {
        /// Makes a queue or checks that it exists.
        10 Declare<'a> "declare" Client (u16) {
            queue: &'a str, passive: bool, durable: bool, exclusive: bool, auto_delete: bool, no_wait: bool,
            arguments: Table<'a>,
        }
        /// The queue exists.
        11 DeclareOk<'a> "declare-ok" Server { queue: &'a str, message_count: u32, consumer_count: u32 }
        /// Binds a queue to an exchange.
        20 Bind<'a> "bind" Client (u16) {
            queue: &'a str, exchange: &'a str, routing_key: &'a str, no_wait: bool, arguments: Table<'a>,
        }
        /// The binding exists.
        21 BindOk "bind-ok" Server {}
        /// Drops the messages that are ready.
        30 Purge<'a> "purge" Client (u16) { queue: &'a str, no_wait: bool }
        /// How many were dropped.
        31 PurgeOk "purge-ok" Server { message_count: u32 }
        /// Deletes a queue.
        40 Delete<'a> "delete" Client (u16) { queue: &'a str, if_unused: bool, if_empty: bool, no_wait: bool }
        /// The queue is gone; how many messages went with it.
        41 DeleteOk "delete-ok" Server { message_count: u32 }
        /// Undoes `queue.bind`.
        50 Unbind<'a> "unbind" Client (u16) {
            queue: &'a str, exchange: &'a str, routing_key: &'a str, arguments: Table<'a>,
        }
        /// The binding is gone.
        51 UnbindOk "unbind-ok" Server {}
    }
    /// Messages.
    60 Basic basic<'a> {
        /// Limits what is delivered and not settled.
        10 Qos "qos" Client { prefetch_size: u32, prefetch_count: u16, global: bool }
        /// The limits hold.
        11 QosOk "qos-ok" Server {}
        /// Starts a consumer.
        20 Consume<'a> "consume" Client (u16) {
            queue: &'a str, consumer_tag: &'a str, no_local: bool, no_ack: bool, exclusive: bool, no_wait: bool,
            arguments: Table<'a>,
        }
        /// The consumer's tag.
        21 ConsumeOk<'a> "consume-ok" Server { consumer_tag: &'a str }
        /// Ends a consumer; from a server: it has ended.
        30 Cancel<'a> "cancel" Both { consumer_tag: &'a str, no_wait: bool }
        /// The consumer has ended.
        31 CancelOk<'a> "cancel-ok" Both { consumer_tag: &'a str }
        /// A message to an exchange; content follows.
        40 Publish<'a> "publish" Client (u16) {
            exchange: &'a str, routing_key: &'a str, mandatory: bool, immediate: bool,
        }
        /// A message that could not be routed; content follows.
        50 Return<'a> "return" Server {
            reply_code: u16, reply_text: &'a str, exchange: &'a str, routing_key: &'a str,
        }
        /// A message to a consumer; content follows.
        60 Deliver<'a> "deliver" Server {
            consumer_tag: &'a str, delivery_tag: u64, redelivered: bool, exchange: &'a str, routing_key: &'a str,
        }
        /// Asks for one message.
        70 Get<'a> "get" Client (u16) { queue: &'a str, no_ack: bool }
        /// The message; content follows.
        71 GetOk<'a> "get-ok" Server {
            delivery_tag: u64, redelivered: bool, exchange: &'a str, routing_key: &'a str, message_count: u32,
        }
        /// There is none.
        72 GetEmpty "get-empty" Server (&str) {}
        /// Settles deliveries; from a server: confirms publishes.
        80 Ack "ack" Both { delivery_tag: u64, multiple: bool }
        /// Refuses one delivery.
        90 Reject "reject" Client { delivery_tag: u64, requeue: bool }
        /// As `recover`, without an answer.
        100 RecoverAsync "recover-async" Client { requeue: bool }
        /// Asks for all unsettled deliveries again.
        110 Recover "recover" Client { requeue: bool }
        /// They are coming again.
        111 RecoverOk "recover-ok" Server {}
        /// RabbitMQ: refuses deliveries; from a server: a publish was refused.
        120 Nack "nack" Both { delivery_tag: u64, multiple: bool, requeue: bool }
    }
    /// RabbitMQ: publisher confirms.
    85 Confirm confirm {
        /// Every publish from here on is confirmed.
        10 Select "select" Client { no_wait: bool }
        /// The channel confirms.
        11 SelectOk "select-ok" Server {}
    }
    /// Transactions.
    90 Tx tx {
        /// Makes the channel transactional.
        10 Select "select" Client {}
        /// The channel is transactional.
        11 SelectOk "select-ok" Server {}
        /// Performs what was gathered.
        20 Commit "commit" Client {}
        /// It is done.
        21 CommitOk "commit-ok" Server {}
        /// Forgets what was gathered.
        30 Rollback "rollback" Client {}
        /// It is forgotten.
        31 RollbackOk "rollback-ok" Server {}
    }
}
