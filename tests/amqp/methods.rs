//! The methods and properties of AMQP 0-9-1 as a table, written from the specification and apart from the broker's own codec, so that the
//! two can disagree.

/// How a field is laid out on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Octet,
    Short,
    Long,
    LongLong,
    ShortStr,
    LongStr,
    Table,
    Bit,
}

/// A method: its name, class id, method id and fields. Reserved fields have a name that begins with `-`.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) class: u16,
    pub(crate) id: u16,
    fields: &'static str,
}

impl Method {
    pub(crate) fn named(name: &str) -> &'static Method {
        METHODS.iter().find(|method| method.name == name).unwrap_or_else(|| panic!("no method {name}"))
    }

    pub(crate) fn numbered(class: u16, id: u16) -> &'static Method {
        METHODS
            .iter()
            .find(|method| (method.class, method.id) == (class, id))
            .unwrap_or_else(|| panic!("no method {class},{id}"))
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.fields.split_whitespace().map(field)
    }

    pub(crate) fn has_content(&self) -> bool {
        matches!(self.name, "basic.publish" | "basic.return" | "basic.deliver" | "basic.get-ok")
    }
}

fn field(word: &'static str) -> (&'static str, Kind) {
    let (name, kind) = word.split_once(':').unwrap_or((word, "bit"));
    let kind = match kind {
        "o" => Kind::Octet,
        "h" => Kind::Short,
        "l" => Kind::Long,
        "ll" => Kind::LongLong,
        "s" => Kind::ShortStr,
        "S" => Kind::LongStr,
        "t" => Kind::Table,
        "bit" => Kind::Bit,
        other => panic!("no kind {other}"),
    };
    (name, kind)
}

/// The properties of class basic, in the order of their flags, from bit 15 downwards.
pub(crate) fn properties() -> impl Iterator<Item = (&'static str, Kind)> {
    "content-type:s content-encoding:s headers:t delivery-mode:o priority:o correlation-id:s reply-to:s expiration:s \
     message-id:s timestamp:ll type:s user-id:s app-id:s cluster-id:s"
        .split_whitespace()
        .map(field)
}

const fn m(name: &'static str, class: u16, id: u16, fields: &'static str) -> Method {
    Method { name, class, id, fields }
}

const METHODS: &[Method] = &[
    m(
        "connection.start",
        10,
        10,
        "version-major:o version-minor:o server-properties:t mechanisms:S locales:S",
    ),
    m("connection.start-ok", 10, 11, "client-properties:t mechanism:s response:S locale:s"),
    m("connection.tune", 10, 30, "channel-max:h frame-max:l heartbeat:h"),
    m("connection.tune-ok", 10, 31, "channel-max:h frame-max:l heartbeat:h"),
    m("connection.open", 10, 40, "virtual-host:s -1:s -2"),
    m("connection.open-ok", 10, 41, "-1:s"),
    m("connection.close", 10, 50, "reply-code:h reply-text:s class-id:h method-id:h"),
    m("connection.close-ok", 10, 51, ""),
    m("connection.blocked", 10, 60, "reason:s"),
    m("connection.unblocked", 10, 61, ""),
    m("connection.update-secret", 10, 70, "new-secret:S reason:s"),
    m("connection.update-secret-ok", 10, 71, ""),
    m("channel.open", 20, 10, "-1:s"),
    m("channel.open-ok", 20, 11, "-1:S"),
    m("channel.flow", 20, 20, "active"),
    m("channel.flow-ok", 20, 21, "active"),
    m("channel.close", 20, 40, "reply-code:h reply-text:s class-id:h method-id:h"),
    m("channel.close-ok", 20, 41, ""),
    m("access.request", 30, 10, "realm:s exclusive passive active write read"),
    m("access.request-ok", 30, 11, "ticket:h"),
    m(
        "exchange.declare",
        40,
        10,
        "-1:h exchange:s type:s passive durable auto-delete internal no-wait arguments:t",
    ),
    m("exchange.declare-ok", 40, 11, ""),
    m("exchange.delete", 40, 20, "-1:h exchange:s if-unused no-wait"),
    m("exchange.delete-ok", 40, 21, ""),
    m("exchange.bind", 40, 30, "-1:h destination:s source:s routing-key:s no-wait arguments:t"),
    m("exchange.bind-ok", 40, 31, ""),
    m("exchange.unbind", 40, 40, "-1:h destination:s source:s routing-key:s no-wait arguments:t"),
    m("exchange.unbind-ok", 40, 51, ""),
    m("queue.declare", 50, 10, "-1:h queue:s passive durable exclusive auto-delete no-wait arguments:t"),
    m("queue.declare-ok", 50, 11, "queue:s message-count:l consumer-count:l"),
    m("queue.bind", 50, 20, "-1:h queue:s exchange:s routing-key:s no-wait arguments:t"),
    m("queue.bind-ok", 50, 21, ""),
    m("queue.purge", 50, 30, "-1:h queue:s no-wait"),
    m("queue.purge-ok", 50, 31, "message-count:l"),
    m("queue.delete", 50, 40, "-1:h queue:s if-unused if-empty no-wait"),
    m("queue.delete-ok", 50, 41, "message-count:l"),
    m("queue.unbind", 50, 50, "-1:h queue:s exchange:s routing-key:s arguments:t"),
    m("queue.unbind-ok", 50, 51, ""),
    m("basic.qos", 60, 10, "prefetch-size:l prefetch-count:h global"),
    m("basic.qos-ok", 60, 11, ""),
    m("basic.consume", 60, 20, "-1:h queue:s consumer-tag:s no-local no-ack exclusive no-wait arguments:t"),
    m("basic.consume-ok", 60, 21, "consumer-tag:s"),
    m("basic.cancel", 60, 30, "consumer-tag:s no-wait"),
    m("basic.cancel-ok", 60, 31, "consumer-tag:s"),
    m("basic.publish", 60, 40, "-1:h exchange:s routing-key:s mandatory immediate"),
    m("basic.return", 60, 50, "reply-code:h reply-text:s exchange:s routing-key:s"),
    m("basic.deliver", 60, 60, "consumer-tag:s delivery-tag:ll redelivered exchange:s routing-key:s"),
    m("basic.get", 60, 70, "-1:h queue:s no-ack"),
    m("basic.get-ok", 60, 71, "delivery-tag:ll redelivered exchange:s routing-key:s message-count:l"),
    m("basic.get-empty", 60, 72, "-1:s"),
    m("basic.ack", 60, 80, "delivery-tag:ll multiple"),
    m("basic.reject", 60, 90, "delivery-tag:ll requeue"),
    m("basic.recover-async", 60, 100, "requeue"),
    m("basic.recover", 60, 110, "requeue"),
    m("basic.recover-ok", 60, 111, ""),
    m("basic.nack", 60, 120, "delivery-tag:ll multiple requeue"),
    m("confirm.select", 85, 10, "no-wait"),
    m("confirm.select-ok", 85, 11, ""),
    m("tx.select", 90, 10, ""),
    m("tx.select-ok", 90, 11, ""),
    m("tx.commit", 90, 20, ""),
    m("tx.commit-ok", 90, 21, ""),
    m("tx.rollback", 90, 30, ""),
    m("tx.rollback-ok", 90, 31, ""),
];
