//! AMQP 0-9-1 on the wire: bytes to methods, headers and bodies, and back.
//!
//! Sans-IO: no socket, clock, task or log.
