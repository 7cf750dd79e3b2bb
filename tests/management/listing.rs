//! Pages, order, filters, columns.

use serde_json::{Value, json};

use crate::desk::{Desk, bad_request};

fn desk() -> Desk {
    let desk = Desk::new();
    for (name, max) in [("alpha", 3), ("beta", 1), ("Beta2", 2), ("gamma", 9)] {
        desk.done(
            "PUT",
            &format!("/api/queues/%2F/{name}"),
            &json!({ "arguments": { "x-max-length": max } }),
        );
    }
    desk
}

#[test]
fn a_page_is_what_was_asked_for_with_the_counts_around_it() {
    let desk = desk();
    for (query, expected) in [
        ("page=1&page_size=2", json!([4, 4, 2, 1, 2, 2, ["Beta2", "alpha"]])),
        ("page=2&page_size=3", json!([4, 4, 1, 2, 3, 2, ["gamma"]])),
        ("page=1", json!([4, 4, 4, 1, 100, 1, ["Beta2", "alpha", "beta", "gamma"]])),
        ("page=1&name=BETA", json!([4, 2, 2, 1, 100, 1, ["Beta2", "beta"]])),
        ("page=1&name=^.eta$&use_regex=true", json!([4, 1, 1, 1, 100, 1, ["beta"]])),
        // ^[a-z]+as?$
        (
            "page=1&name=%5E%5Ba-z%5D%2Bas%3F%24&use_regex=true",
            json!([4, 3, 3, 1, 100, 1, ["alpha", "beta", "gamma"]]),
        ),
        ("page=1&name=zzz", json!([4, 0, 0, 1, 100, 0, []])),
        (
            "page=1&use_regex=true&pagination=false&name=a&page_size=100",
            json!([4, 4, 4, 1, 100, 1, ["Beta2", "alpha", "beta", "gamma"]]),
        ),
        ("page=1&sort=name&sort_reverse=true&page_size=1", json!([4, 4, 1, 1, 1, 4, ["gamma"]])),
    ] {
        let page = desk.get(&format!("/api/queues/%2F?{query}"));
        let names: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
        let counts = ["total_count", "filtered_count", "item_count", "page", "page_size", "page_count"];
        let mut found: Vec<Value> = counts.iter().map(|count| page[*count].clone()).collect();
        found.push(json!(names));
        assert_eq!(Value::Array(found), expected, "{query}");
    }
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let desk = desk();
    let invalid = |reason: &str| json!({ "error": "invalid_pagination_parameters", "reason": reason });
    let out =
        json!({ "error": "page_out_of_range", "reason": "Page out of range, page: 7 page size: 1, len: 4" });
    desk.check(&[
        ("GET", "/api/queues?page=7&page_size=1", Value::Null, 400, out),
        (
            "GET",
            "/api/queues?page=0",
            Value::Null,
            400,
            invalid("Invalid pagination parameters: page number 0, page size undefined"),
        ),
        (
            "GET",
            "/api/queues?page=1&page_size=501",
            Value::Null,
            400,
            invalid("Invalid pagination parameters: page number 1, page size 501"),
        ),
        ("GET", "/api/queues?page=x", Value::Null, 400, bad_request("Pagination parameters are invalid")),
        (
            "GET",
            "/api/queues?page=1&use_regex=true&name=(",
            Value::Null,
            400,
            bad_request("Pagination parameters are invalid"),
        ),
    ]);
}

#[test]
fn a_list_has_the_order_and_the_columns_that_are_asked_for() {
    let desk = desk();
    for (query, expected) in [
        (
            "columns=name",
            json!([{ "name": "Beta2" }, { "name": "alpha" }, { "name": "beta" }, { "name": "gamma" }]),
        ),
        (
            "columns=name,arguments.x-max-length,nonsense&sort=arguments.x-max-length",
            json!([
                { "name": "beta", "arguments": { "x-max-length": 1 } },
                { "name": "Beta2", "arguments": { "x-max-length": 2 } },
                { "name": "alpha", "arguments": { "x-max-length": 3 } },
                { "name": "gamma", "arguments": { "x-max-length": 9 } },
            ]),
        ),
        (
            "columns=name&name=alpha",
            json!([{ "name": "Beta2" }, { "name": "alpha" }, { "name": "beta" }, { "name": "gamma" }]),
        ),
    ] {
        assert_eq!(desk.get(&format!("/api/queues?{query}")), expected, "{query}");
    }
    assert_eq!(
        desk.get("/api/queues/%2F/alpha?columns=name,messages_details.rate"),
        json!({
            "name": "alpha", "messages_details": { "rate": 0.0 },
        })
    );
}

#[test]
fn statistics_are_left_out_where_nobody_wants_them() {
    let desk = desk();
    let without = desk.get("/api/queues/%2F?disable_stats=true");
    assert_eq!(
        (&without[1]["name"], without[1].get("messages"), without[1].get("memory")),
        (&json!("alpha"), None, None)
    );
    let totals = desk.get("/api/queues/%2F?disable_stats=true&enable_queue_totals=true");
    assert_eq!((&totals[1]["messages"], totals[1].get("memory")), (&json!(0), None));
}
