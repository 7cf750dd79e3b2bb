//! Lists: filters by name, order, pages, columns.
//!
//! Objects are made for what is shown only, unless an order asks for the others too.

use std::cmp::Ordering;

use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::failure::Failure;
use super::query::Query;

/// The most that a page holds, and what it holds unless that is said.
const PAGE_SIZE_MAX: usize = 500;
const PAGE_SIZE: i64 = 100;
/// No filter compiles to more, in bytes.
const FILTER_MAX_BYTES: usize = 1024 * 1024;

/// Answers with a list that is never cut into pages.
pub(super) fn whole<T: Send + 'static>(
    call: &Call,
    items: Vec<T>,
    object: impl Fn(&T) -> Option<Value> + Send + 'static,
) -> Answer {
    let items = in_order(&call.query, items, &object);
    show(&call.query, items, object)
}

/// Answers with a list, or a page of it when one is asked for. Filters are for pages only, as in RabbitMQ.
pub(super) fn paged<T: Send + 'static>(
    call: &Call,
    items: Vec<T>,
    name: impl Fn(&T) -> &str,
    object: impl Fn(&T) -> Option<Value> + Send + 'static,
) -> Result<Answer, Failure> {
    let Some(page) = Page::asked(&call.query)? else { return Ok(whole(call, items, object)) };
    let total = items.len();
    let filter = Filter::asked(&call.query)?;
    let items: Vec<T> = items.into_iter().filter(|item| filter.has(name(item))).collect();
    let filtered = items.len();
    let pages = filtered.div_ceil(page.size);
    if page.number > pages.max(1) {
        let Page { number, size } = page;
        let reason = format!("Page out of range, page: {number} page size: {size}, len: {filtered}");
        return Err(Failure::bad_parameter("page_out_of_range", reason));
    }
    let columns = Columns::asked(&call.query);
    let items = in_order(&call.query, items, &object).into_iter();
    let shown = items.skip((page.number - 1) * page.size).take(page.size);
    let shown: Vec<Value> = shown.filter_map(|item| Some(columns.of(object(&item)?))).collect();
    Ok(Answer::Json(json!({
        "total_count": total,
        "filtered_count": filtered,
        "item_count": shown.len(),
        "page": page.number,
        "page_size": page.size,
        "page_count": pages,
        "items": shown,
    })))
}

/// A single object, with the columns that are asked for.
pub(super) fn one(call: &Call, object: Value) -> Answer {
    Answer::Json(Columns::asked(&call.query).of(object))
}

fn show<T: Send + 'static>(
    query: &Query,
    items: Vec<T>,
    object: impl Fn(&T) -> Option<Value> + Send + 'static,
) -> Answer {
    let columns = Columns::asked(query);
    Answer::List(Box::new(items.into_iter().filter_map(move |item| Some(columns.of(object(&item)?)))))
}

/// In the order that is asked for; in that in which they are when there is none.
fn in_order<T>(query: &Query, mut items: Vec<T>, object: impl Fn(&T) -> Option<Value>) -> Vec<T> {
    let reversed = query.is_true("sort_reverse");
    let Some(path) = query.get("sort").filter(|path| !path.is_empty()) else {
        if reversed {
            items.reverse();
        }
        return items;
    };
    let path: Vec<&str> = path.split('.').collect();
    let key =
        |item: &T| object(item).and_then(|object| at(&object, &path).cloned()).unwrap_or(Value::from(0));
    let mut keyed: Vec<(Value, T)> = items.into_iter().map(|item| (key(&item), item)).collect();
    keyed.sort_by(|(one, _), (other, _)| compare(one, other));
    if reversed {
        keyed.reverse();
    }
    keyed.into_iter().map(|(_, item)| item).collect()
}

fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(*name))
}

/// Numbers before words, words before text, as Erlang orders them.
fn compare(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Bool(_) | Value::Null => 1,
        Value::Object(_) => 2,
        Value::Array(_) => 3,
        Value::String(_) => 4,
    };
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().unwrap_or(0.0).total_cmp(&other.as_f64().unwrap_or(0.0))
        }
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    }
}

struct Page {
    number: usize,
    size: usize,
}

impl Page {
    fn asked(query: &Query) -> Result<Option<Self>, Failure> {
        let (page, size) = (query.get("page"), query.get("page_size"));
        let Some(page) = page else { return Ok(None) };
        let number = |text: &str| {
            text.parse::<i64>().map_err(|_| Failure::bad_request("Pagination parameters are invalid"))
        };
        let (page, wanted) = (number(page)?, size.map(number).transpose()?);
        let size = usize::try_from(wanted.unwrap_or(PAGE_SIZE)).unwrap_or(0);
        match usize::try_from(page) {
            Ok(page) if page > 0 && (1..=PAGE_SIZE_MAX).contains(&size) => {
                Ok(Some(Self { number: page, size }))
            }
            _ => {
                let size = wanted.map_or_else(|| "undefined".to_owned(), |size| size.to_string());
                Err(Failure::bad_parameter(
                    "invalid_pagination_parameters",
                    format!("Invalid pagination parameters: page number {page}, page size {size}"),
                ))
            }
        }
    }
}

/// Which names are wanted.
enum Filter {
    All,
    Containing(String),
    Matching(Regex),
}

impl Filter {
    fn asked(query: &Query) -> Result<Self, Failure> {
        match query.get("name").filter(|name| !name.is_empty()) {
            None => Ok(Self::All),
            Some(pattern) if query.is_true("use_regex") => RegexBuilder::new(pattern)
                .case_insensitive(true)
                // Octets, as RabbitMQ compares them; else this would need tables that only builds for tests have.
                .unicode(false)
                .size_limit(FILTER_MAX_BYTES)
                .build()
                .map(Self::Matching)
                .map_err(|_| Failure::bad_request("Pagination parameters are invalid")),
            Some(text) => Ok(Self::Containing(text.to_lowercase())),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Containing(text) => name.to_lowercase().contains(text),
            Self::Matching(regex) => regex.is_match(name.as_bytes()),
        }
    }
}

/// Which parts of objects are shown.
struct Columns(Option<Vec<Vec<String>>>);

impl Columns {
    fn asked(query: &Query) -> Self {
        let columns = query.get("columns").filter(|columns| !columns.is_empty()).map(|columns| {
            columns.split(',').map(|path| path.split('.').map(str::to_owned).collect()).collect()
        });
        Self(columns)
    }

    fn of(&self, object: Value) -> Value {
        let Some(columns) = &self.0 else { return object };
        let mut shown = Map::new();
        for path in columns {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            if let Some(value) = at(&object, &path) {
                put(&mut shown, &path, value.clone());
            }
        }
        Value::Object(shown)
    }
}

fn put(into: &mut Map<String, Value>, path: &[&str], value: Value) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        into.insert((*name).to_owned(), value);
        return;
    }
    let within = into.entry((*name).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(within) = within {
        put(within, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_show_what_they_name_and_nothing_else() {
        let object = json!({"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": [1]});
        for (columns, expected) in [
            ("", object.clone()),
            ("a", json!({"a": 1})),
            ("a,b.c", json!({"a": 1, "b": {"c": 2}})),
            ("b.d.e,b.c", json!({"b": {"c": 2, "d": {"e": 3}}})),
            ("x,b.x,a.x", json!({})),
        ] {
            let columns = Columns::asked(&Query::parse(&format!("columns={columns}")));
            assert_eq!(columns.of(object.clone()), expected);
        }
    }

    #[test]
    fn an_order_is_of_numbers_then_words_then_text_and_what_is_missing_is_zero() {
        let items = vec![json!({"k": "b"}), json!({"k": 2}), json!({}), json!({"k": "a"}), json!({"k": -1})];
        let order = |query: &str| in_order(&Query::parse(query), items.clone(), |item| Some(item.clone()));
        let expected =
            vec![json!({"k": -1}), json!({}), json!({"k": 2}), json!({"k": "a"}), json!({"k": "b"})];
        assert_eq!(order("sort=k"), expected);
        let reversed: Vec<Value> = expected.into_iter().rev().collect();
        assert_eq!(order("sort=k&sort_reverse=true"), reversed);
        assert_eq!(order(""), items);
    }
}
