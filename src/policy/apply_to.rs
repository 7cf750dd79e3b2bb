//! To which kinds of objects a policy applies.

/// An object that policies apply to, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An exchange.
    Exchange,
    /// A classic queue.
    ClassicQueue,
    /// A quorum queue.
    QuorumQueue,
}

/// What `apply-to` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ApplyTo {
    /// To all that there is.
    #[default]
    All,
    /// To exchanges.
    Exchanges,
    /// To queues of every type.
    Queues,
    /// To classic queues.
    ClassicQueues,
    /// To quorum queues.
    QuorumQueues,
    /// To streams.
    Streams,
}

impl ApplyTo {
    /// Every one, in RabbitMQ's order.
    pub const ALL: [Self; 6] =
        [Self::Queues, Self::ClassicQueues, Self::QuorumQueues, Self::Streams, Self::Exchanges, Self::All];

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|apply_to| apply_to.as_str() == name)
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Exchanges => "exchanges",
            Self::Queues => "queues",
            Self::ClassicQueues => "classic_queues",
            Self::QuorumQueues => "quorum_queues",
            Self::Streams => "streams",
        }
    }

    /// Whether it includes an object of this kind.
    pub const fn includes(self, subject: Subject) -> bool {
        match self {
            Self::All => true,
            Self::Exchanges => matches!(subject, Subject::Exchange),
            Self::Queues => matches!(subject, Subject::ClassicQueue | Subject::QuorumQueue),
            Self::ClassicQueues => matches!(subject, Subject::ClassicQueue),
            Self::QuorumQueues => matches!(subject, Subject::QuorumQueue),
            Self::Streams => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_object_is_included_by_its_names() {
        for (name, exchange, classic, quorum) in [
            ("all", true, true, true),
            ("exchanges", true, false, false),
            ("queues", false, true, true),
            ("classic_queues", false, true, false),
            ("quorum_queues", false, false, true),
            ("streams", false, false, false),
        ] {
            let apply_to = ApplyTo::parse(name).unwrap();
            assert_eq!(apply_to.as_str(), name);
            let included = [Subject::Exchange, Subject::ClassicQueue, Subject::QuorumQueue]
                .map(|subject| apply_to.includes(subject));
            assert_eq!(included, [exchange, classic, quorum], "{name}");
        }
        assert_eq!(ApplyTo::parse("queue"), None);
    }
}
