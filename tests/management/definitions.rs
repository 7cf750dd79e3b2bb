//! Definitions over HTTP, and at the start.

use std::fs;
use std::path::Path;

use leveret::broker::Broker;
use leveret::config::{Config, DefinitionsConfig, Listen, ManagementConfig};
use serde_json::{Value, json};

use crate::desk::{Desk, bad_request};
use crate::http::Request;
use crate::support::TempDir;

fn queue(name: &str, arguments: &Value) -> Value {
    json!({ "name": name, "vhost": "/", "durable": true, "auto_delete": false, "arguments": arguments })
}

#[test]
fn an_export_is_imported_by_another_broker_and_exported_alike() {
    let (first, second) = (Desk::new(), Desk::new());
    first.done("PUT", "/api/vhosts/v", &json!({ "description": "d" }));
    first.done("PUT", "/api/queues/v/q", &json!({ "durable": true, "arguments": { "x-max-length": 5 } }));
    first.done("PUT", "/api/exchanges/v/x", &json!({ "type": "fanout" }));
    first.done("POST", "/api/bindings/v/e/x/q/q", &json!({ "routing_key": "k", "arguments": { "a": 1 } }));
    first.done("PUT", "/api/policies/v/p", &json!({ "pattern": "q", "definition": { "max-length": 1 } }));
    first.done("PUT", "/api/user-limits/guest/max-channels", &json!({ "value": 5 }));
    first.done("PUT", "/api/global-parameters/g", &json!({ "value": [1] }));
    let text = first.ask("GET", "/api/definitions", &Value::Null).body;
    let answer = Request::new("POST", "/api/definitions").login("guest", "guest").body(&text);
    let answer = answer.send(second.address);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(second.ask("GET", "/api/definitions", &Value::Null).body, text);
    let one = first.ask("GET", "/api/definitions/v?download=v.json", &Value::Null);
    assert_eq!(one.header("content-disposition"), Some("attachment; filename=v.json"));
    assert_eq!(one.json()["queues"][0]["name"], "q");
    second.done("PUT", "/api/vhosts/w", &Value::Null);
    second.done("POST", "/api/definitions/w", &one.json());
    assert_eq!(second.get("/api/bindings/w/e/x/q/q").as_array().unwrap().len(), 1);
    assert_eq!(second.get("/api/permissions/w/guest")["read"], ".*", "who makes one may use it");
    for (method, status, reason) in [("GET", 400, "bad_request"), ("POST", 404, "not_found")] {
        let answer = second.ask(method, "/api/definitions/nothing", &json!({}));
        let expected = json!({ "error": reason, "reason": "vhost_not_found" });
        assert_eq!((answer.status, answer.json()), (status, expected));
    }
}

#[test]
fn who_imports_a_virtual_host_may_use_it() {
    let desk = Desk::new();
    desk.done("POST", "/api/definitions", &json!({ "vhosts": [{ "name": "new" }] }));
    assert_eq!(desk.get("/api/permissions/new/guest")["configure"], ".*");
}

#[test]
fn a_mistake_ends_an_import_with_its_place_and_what_was_before_it_stays() {
    let desk = Desk::new();
    let document = json!({ "queues": [
        queue("a", &json!({})), queue("b", &json!({ "x-max-length": -1 })), queue("c", &json!({})),
    ]});
    let answer = desk.ask("POST", "/api/definitions", &document);
    let reason = "queues[1].arguments.x-max-length: invalid arg 'x-max-length' for queue 'b' in vhost '/': \
                  {value_negative,-1}";
    assert_eq!((answer.status, answer.json()), (400, bad_request(reason)));
    let names: Vec<Value> =
        desk.get("/api/queues").as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
    assert_eq!(names, ["a"]);
    for body in ["nope", "[]", "\"x\"", "{\"a\":"] {
        let answer = Request::new("POST", "/api/definitions").login("guest", "guest").body(body);
        let answer = answer.send(desk.address);
        assert_eq!(
            (answer.status, &answer.json()["reason"]),
            (400, &json!("failed_to_parse_json")),
            "{body}"
        );
        assert!(answer.json()["detail"].as_str().unwrap().starts_with("it "), "{body}");
    }
    for body in ["", "{}", "\u{FEFF}{\"queues\": []}"] {
        let answer = Request::new("POST", "/api/definitions").login("guest", "guest").body(body);
        assert_eq!(answer.send(desk.address).status, 204, "{body}");
    }
}

#[test]
fn a_trial_tells_what_would_be_done_and_an_import_what_was() {
    let desk = Desk::new();
    desk.done("PUT", "/api/queues/%2F/old", &json!({}));
    let document = json!({ "queues": [queue("new", &json!({})), queue("bad", &json!({ "x-expires": 0 }))] });
    let tried = desk.ask("POST", "/api/leveret/definitions?dry_run=true", &document);
    assert_eq!(tried.status, 200, "{tried:?}");
    let tried = tried.json();
    assert_eq!(tried["changes"][0]["path"], "queues[0]");
    assert_eq!(tried["changes"][0]["after"]["name"], "new");
    assert_eq!(tried["mistakes"][0]["path"], "queues[1].arguments.x-expires");
    assert_eq!(tried["absent"][0]["object"]["name"], "old");
    assert_eq!(desk.get("/api/queues").as_array().unwrap().len(), 1);
    let done = desk.ask("POST", "/api/leveret/definitions/%2F", &document);
    assert_eq!((done.status, &done.json()["objects"]["queues"]["created"]), (400, &json!(1)));
    let good = json!({ "queues": [queue("new", &json!({})), queue("other", &json!({}))] });
    let done = desk.ask("POST", "/api/leveret/definitions", &good).json();
    assert_eq!(
        done["objects"]["queues"],
        json!({ "created": 1, "changed": 0, "kept": 0, "unchanged": 1, "left_out": 0 })
    );
}

#[test]
fn a_form_with_a_file_is_imported_as_a_browser_sends_it() {
    let desk = Desk::new();
    let form = |file: &Value, redirect: Option<&str>| {
        let redirect = redirect.map(|place| {
            format!("\r\n--x\r\nContent-Disposition: form-data; name=\"redirect\"\r\n\r\n{place}")
        });
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.json\"\r\n\r\n{file}{}\r\n--x--\r\n",
            redirect.unwrap_or_default()
        );
        let request = Request::new("POST", "/api/definitions").login("guest", "guest");
        request.header("content-type", "multipart/form-data; boundary=x").body(body).send(desk.address)
    };
    let document = json!({ "queues": [queue("q", &json!({}))] });
    assert_eq!(form(&document, None).status, 204);
    desk.get("/api/queues/%2F/q");
    for (place, status, location) in [
        ("../#/import-succeeded", 303, Some("../#/import-succeeded")),
        ("https://evil.example/", 204, None),
        ("//evil.example/", 204, None),
    ] {
        let answer = form(&document, Some(place));
        assert_eq!((answer.status, answer.header("location")), (status, location));
    }
}

/// A broker on a directory that imports this when it starts.
fn started(data: &Path, load: &Path, skip_if_unchanged: bool) -> Desk {
    let definitions =
        DefinitionsConfig { load: Some(load.to_owned()), skip_if_unchanged, ..Default::default() };
    Desk::with(Config { data_dir: data.to_owned(), definitions, ..Config::default() })
}

#[test]
fn definitions_are_there_from_the_start_and_their_users_in_the_place_of_the_default_one() {
    let (data, files) = (TempDir::new(), TempDir::new());
    let file = files.path().join("a.json");
    let user = json!({ "name": "admin", "password": "admin", "tags": "administrator" });
    let all = json!({ "user": "admin", "vhost": "v", "configure": ".*", "write": ".*", "read": ".*" });
    let document = json!({ "users": [user], "vhosts": [{ "name": "v" }], "permissions": [all] });
    fs::write(&file, document.to_string()).unwrap();
    fs::write(files.path().join("b.json"), r#"{"queues": [{"name": "q", "vhost": "v"}]}"#).unwrap();
    fs::write(files.path().join("notes.txt"), "not definitions").unwrap();
    let names = |desk: &Desk, path: &str| -> Vec<String> {
        let answer = desk.ask_as("admin", "GET", path, &Value::Null).json();
        answer.as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap().to_owned()).collect()
    };
    for turn in 0..2 {
        let desk = started(data.path(), files.path(), false);
        assert_eq!(desk.ask("GET", "/api/overview", &Value::Null).status, 401, "turn {turn}");
        assert_eq!(names(&desk, "/api/users"), ["admin"]);
        assert_eq!(names(&desk, "/api/vhosts"), ["v"]);
        assert_eq!(names(&desk, "/api/queues/v"), ["q"]);
        let gone = desk.ask_as("admin", "DELETE", "/api/queues/v/q", &Value::Null);
        assert_eq!(gone.status, 204, "it comes back with the next start");
        desk.stop();
    }
}

#[test]
fn without_users_in_them_the_default_one_is_there_beside_definitions() {
    let (data, files) = (TempDir::new(), TempDir::new());
    let file = files.path().join("d.json");
    fs::write(&file, json!({ "queues": [queue("q", &json!({}))] }).to_string()).unwrap();
    let desk = started(data.path(), &file, false);
    desk.get("/api/queues/%2F/q");
}

#[test]
fn definitions_that_were_imported_last_are_not_imported_again_where_that_is_configured() {
    let (data, files) = (TempDir::new(), TempDir::new());
    let file = files.path().join("d.json");
    let write =
        |name: &str| fs::write(&file, json!({ "queues": [queue(name, &json!({}))] }).to_string()).unwrap();
    write("q");
    let desk = started(data.path(), &file, true);
    desk.done("DELETE", "/api/queues/%2F/q", &Value::Null);
    assert!(!desk.ask("GET", "/api/definitions", &Value::Null).body.contains("hash_value"));
    desk.stop();
    let desk = started(data.path(), &file, true);
    assert_eq!(desk.get("/api/queues"), json!([]));
    desk.stop();
    write("other");
    let desk = started(data.path(), &file, true);
    assert_eq!(desk.get("/api/queues")[0]["name"], "other");
}

#[test]
fn definitions_with_a_mistake_stop_the_start_with_the_file_and_the_place() {
    let (data, files) = (TempDir::new(), TempDir::new());
    let file = files.path().join("d.json");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _within = runtime.enter();
    let any = "127.0.0.1:0".parse().unwrap();
    for (text, expected) in [
        (None, "No such file"),
        (Some("{".to_owned()), "it is not JSON: EOF while parsing an object at line 1 column 1"),
        (
            Some(json!({ "queues": [queue("q", &json!({ "x-max-length": -1 }))] }).to_string()),
            "queues[0].arguments.x-max-length: invalid arg",
        ),
        (
            Some(json!({ "queues": [{ "name": "q" }] }).to_string()),
            "queues[0].vhost: it has to be there, and is not: definitions of a single virtual host",
        ),
    ] {
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        let definitions = DefinitionsConfig { load: Some(file.clone()), ..Default::default() };
        let management = ManagementConfig { listen: Some(Listen::At(any)), ..Default::default() };
        let data_dir = data.path().to_owned();
        let config = Config { data_dir, listeners: vec![any], management, definitions, ..Config::default() };
        let refused = Broker::start(config).unwrap_err().to_string();
        let named = format!("definitions in {} cannot be imported: ", file.display());
        assert!(refused.starts_with(&named) && refused.contains(expected), "{refused}");
    }
}
