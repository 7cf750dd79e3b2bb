//! Why a binding matches a message, or why not, in words.

use super::binding::Binding;
use super::exchange_type::ExchangeType;
use super::headers;
use super::router::{Routable, Target};
use super::routes::Routes;

/// What becomes of a message at one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it goes that way; nothing where that is drawn by chance for each message.
    pub matches: Option<bool>,
    /// Why.
    pub why: String,
}

/// What becomes of a message at a binding of an exchange that routes by this type. `chosen` says whether the exchange, all
/// its bindings together, leads to a target.
pub fn explain<T: Target>(
    exchange_type: ExchangeType,
    binding: &Binding<T>,
    message: &Routable<'_>,
    chosen: impl Fn(&T) -> bool,
) -> Verdict {
    let key = &*binding.key;
    let keys = || {
        let keys: Vec<String> = message.keys().map(|key| format!("'{key}'")).collect();
        keys.join(", ")
    };
    let told = |matches: bool, why: String| Verdict { matches: Some(matches), why };
    match exchange_type {
        ExchangeType::Direct if alone(exchange_type, binding, message) => {
            told(true, format!("the routing key is '{key}'"))
        }
        ExchangeType::Direct => told(false, format!("the routing key has to be '{key}' and is {}", keys())),
        ExchangeType::Topic if alone(exchange_type, binding, message) => {
            told(true, format!("the pattern '{key}' matches {}", keys()))
        }
        ExchangeType::Topic => told(false, format!("the pattern '{key}' does not match {}", keys())),
        ExchangeType::Headers => {
            told(alone(exchange_type, binding, message), headers::why(binding, message.headers))
        }
        ExchangeType::Fanout | ExchangeType::RecentHistory => {
            told(true, "everything goes to all that is bound".to_owned())
        }
        ExchangeType::MessageDeduplication => told(
            true,
            "everything goes to all that is bound, unless the exchange has had it before".to_owned(),
        ),
        ExchangeType::ConsistentHash | ExchangeType::ModulusHash => {
            let is_chosen = chosen(&binding.target);
            let why = if is_chosen {
                "the hash of the message belongs to it"
            } else {
                "the hash of the message belongs to another one"
            };
            told(is_chosen, why.to_owned())
        }
        ExchangeType::Random | ExchangeType::LocalRandom => {
            Verdict { matches: None, why: "one of all that are bound is drawn for each message".to_owned() }
        }
        // It routes by another type when messages are due.
        ExchangeType::DelayedMessage => told(chosen(&binding.target), "as its other type says".to_owned()),
    }
}

/// Whether a message matches a binding if it is the only one.
fn alone<T: Target>(exchange_type: ExchangeType, binding: &Binding<T>, message: &Routable<'_>) -> bool {
    let mut routes = Routes::new(exchange_type);
    let bound = routes.bind(binding.target.clone(), &binding.key, binding.arguments.as_table());
    let mut matches = false;
    routes.route(message, &mut |_| matches = true);
    matches && bound.is_ok()
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::{Table, TableBuilder};

    use super::*;

    #[test]
    fn a_binding_is_explained_as_its_exchange_routes() {
        let headers = TableBuilder::new().string("a", "1").int("b", 2).finish();
        let message =
            Routable { extra_keys: &["x.y"], headers: Some(headers.as_table()), ..Routable::with_key("a.b") };
        let all = TableBuilder::new().string("a", "1").int("b", 3).bool("c", true).finish();
        let any = TableBuilder::new().string("x-match", "any").string("a", "1").int("b", 3).finish();
        for (exchange_type, key, arguments, matches, why) in [
            (ExchangeType::Direct, "a.b", Table::EMPTY, Some(true), "the routing key is 'a.b'"),
            (ExchangeType::Direct, "x.y", Table::EMPTY, Some(true), "the routing key is 'x.y'"),
            (
                ExchangeType::Direct,
                "a",
                Table::EMPTY,
                Some(false),
                "the routing key has to be 'a' and is 'a.b', 'x.y'",
            ),
            (ExchangeType::Topic, "a.*", Table::EMPTY, Some(true), "the pattern 'a.*' matches 'a.b', 'x.y'"),
            (
                ExchangeType::Topic,
                "*.*.#.*",
                Table::EMPTY,
                Some(false),
                "the pattern '*.*.#.*' does not match 'a.b', 'x.y'",
            ),
            (ExchangeType::Fanout, "", Table::EMPTY, Some(true), "everything goes to all that is bound"),
            (
                ExchangeType::Headers,
                "",
                all.as_table(),
                Some(false),
                "all headers have to be as they are asked for: 'b' has to be 3 and is 2; 'c' is missing",
            ),
            (
                ExchangeType::Headers,
                "",
                any.as_table(),
                Some(true),
                "one of the headers has to be as it is asked for, and 'a' is",
            ),
            (
                ExchangeType::ModulusHash,
                "",
                Table::EMPTY,
                Some(false),
                "the hash of the message belongs to another one",
            ),
            (
                ExchangeType::Random,
                "",
                Table::EMPTY,
                None,
                "one of all that are bound is drawn for each message",
            ),
        ] {
            let binding = Binding { target: "q", key: key.into(), arguments: arguments.to_owned() };
            let expected = Verdict { matches, why: why.to_owned() };
            assert_eq!(
                explain(exchange_type, &binding, &message, |_| false),
                expected,
                "{exchange_type} {key}"
            );
        }
    }
}
