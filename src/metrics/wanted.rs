//! What a request asks for.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// The longest filter of queues, in bytes, as RabbitMQ has it.
const FILTER_MAX_BYTES: usize = 2000;
/// No filter compiles to more, in bytes.
const COMPILED_MAX_BYTES: usize = 1024 * 1024;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Sums of all objects.
    Aggregated,
    /// Each object by itself.
    PerObject,
    /// The groups of families that are asked for, each object by itself.
    Detailed,
    /// What memory is used for.
    MemoryBreakdown,
}

impl Endpoint {
    /// All of them.
    pub(super) const ALL: [Self; 4] =
        [Self::Aggregated, Self::PerObject, Self::Detailed, Self::MemoryBreakdown];

    /// The one of this name in a path, behind the slash.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "" | "default" => Some(Self::Aggregated),
            "per-object" => Some(Self::PerObject),
            "detailed" => Some(Self::Detailed),
            "memory-breakdown" => Some(Self::MemoryBreakdown),
            _ => None,
        }
    }

    /// What it calls itself.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Aggregated => "aggregated",
            Self::PerObject => "per-object",
            Self::Detailed => "detailed",
            Self::MemoryBreakdown => "memory-breakdown",
        }
    }

    /// What RabbitMQ calls the collection that it comes from.
    pub(super) fn registry(self) -> &'static str {
        match self {
            Self::Aggregated => "default",
            other => other.as_str(),
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// How much.
    pub(super) endpoint: Endpoint,
    /// Groups of families, for [`Endpoint::Detailed`].
    families: Vec<String>,
    vhosts: Option<Vec<String>>,
    queue: Option<Regex>,
}

/// Why a request cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotWanted {
    /// The filter of queues is too long.
    FilterTooLong,
    /// The filter of queues is no regular expression.
    InvalidFilter(String),
    /// There is more than one.
    TwoFilters,
}

impl fmt::Display for NotWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FilterTooLong => write!(f, "'queue' regex too long: it may have {FILTER_MAX_BYTES} bytes"),
            Self::InvalidFilter(why) => write!(f, "Invalid 'queue' regex: {why}"),
            Self::TwoFilters => f.write_str("Only one 'queue' query parameter is allowed"),
        }
    }
}

impl Wanted {
    /// Reads the pairs of a query: `family` and `vhost`, each as often as one likes, and a regular expression `queue`.
    pub(super) fn read<'q>(
        endpoint: Endpoint,
        query: impl Iterator<Item = (&'q str, &'q str)>,
    ) -> Result<Self, NotWanted> {
        let mut wanted = Self { endpoint, families: Vec::new(), vhosts: None, queue: None };
        let mut filters = Vec::new();
        for (name, value) in query {
            match name {
                "family" => wanted.families.push(value.to_owned()),
                "vhost" => wanted.vhosts.get_or_insert_default().push(value.to_owned()),
                "queue" => filters.push(value),
                _ => {}
            }
        }
        wanted.queue = match filters.as_slice() {
            [] | [""] => None,
            [filter] => Some(compiled(filter)?),
            _ => return Err(NotWanted::TwoFilters),
        };
        // Only there are they heard; a mistake in them is one everywhere.
        if endpoint != Endpoint::Detailed {
            (wanted.vhosts, wanted.queue) = (None, None);
        }
        Ok(wanted)
    }

    /// Whether a group of families is among what is asked for.
    pub(super) fn has_family(&self, group: &str) -> bool {
        self.families.iter().any(|family| family == group)
    }

    pub(super) fn has_vhost(&self, name: &str) -> bool {
        self.vhosts.as_ref().is_none_or(|vhosts| vhosts.iter().any(|vhost| vhost == name))
    }

    pub(super) fn has_queue(&self, name: &str) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.is_match(name.as_bytes()))
    }
}

fn compiled(filter: &str) -> Result<Regex, NotWanted> {
    if filter.len() > FILTER_MAX_BYTES {
        return Err(NotWanted::FilterTooLong);
    }
    // Octets, as RabbitMQ compares them.
    let built = RegexBuilder::new(filter).unicode(false).size_limit(COMPILED_MAX_BYTES).build();
    built.map_err(|error| NotWanted::InvalidFilter(error.to_string().replace('\n', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(endpoint: Endpoint, query: &[(&str, &str)]) -> Result<Wanted, NotWanted> {
        Wanted::read(endpoint, query.iter().copied())
    }

    #[test]
    fn filters_let_through_what_they_name_and_nothing_else() {
        let detailed = |query| read(Endpoint::Detailed, query).unwrap();
        let wanted =
            detailed(&[("vhost", "/"), ("family", "a"), ("vhost", "x"), ("family", "b"), ("queue", "^q.b")]);
        for (found, expected) in [
            (wanted.has_family("a"), true),
            (wanted.has_family("b"), true),
            (wanted.has_family("c"), false),
            (wanted.has_vhost("/"), true),
            (wanted.has_vhost("y"), false),
            (wanted.has_queue("qabc"), true),
            (wanted.has_queue("xqab"), false),
        ] {
            assert_eq!(found, expected, "{wanted:?}");
        }
        let all = detailed(&[("queue", "")]);
        assert!(all.has_vhost("y") && all.has_queue("") && !all.has_family("a"));
        let whole = read(Endpoint::PerObject, &[("vhost", "x"), ("queue", "z")]).unwrap();
        assert!(whole.has_vhost("y") && whole.has_queue("y"));
    }

    #[test]
    fn a_filter_that_is_none_is_a_mistake_at_every_endpoint() {
        let long = "a".repeat(FILTER_MAX_BYTES + 1);
        for endpoint in Endpoint::ALL {
            for (query, expected) in [
                (&[("queue", "(")][..], "Invalid 'queue' regex: "),
                (&[("queue", long.as_str())][..], "'queue' regex too long"),
                (&[("queue", "a"), ("queue", "b")][..], "Only one 'queue' query parameter is allowed"),
            ] {
                let refused = read(endpoint, query).unwrap_err().to_string();
                assert!(refused.starts_with(expected), "{endpoint:?} {refused}");
            }
        }
    }

    #[test]
    fn an_endpoint_has_the_name_that_stands_in_its_path() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::named(endpoint.registry()), Some(endpoint));
        }
        assert_eq!(Endpoint::named(""), Some(Endpoint::Aggregated));
        assert_eq!(Endpoint::named("aggregated"), None);
    }
}
