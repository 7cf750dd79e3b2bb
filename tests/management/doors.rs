//! What stands before the endpoints: pages, prefixes, what browsers are told, and the checks that need no password.

use leveret::config::{Browsers, Config, ManagementConfig};
use leveret::net::socket_path;
use serde_json::{Value, json};

use crate::desk::{Desk, no_object};
use crate::http::{Answer, Request};
use crate::support::TempDir;

fn get(desk: &Desk, path: &str) -> Answer {
    Request::new("GET", path).send(desk.address)
}

fn with(management: ManagementConfig) -> Desk {
    Desk::with(Config { in_memory: true, management, ..Config::default() })
}

#[test]
fn whoever_comes_with_a_browser_is_told_what_this_is() {
    let desk = Desk::new();
    for path in ["/", "/api/index.html"] {
        let page = get(&desk, path);
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.body.contains("<a href=\"/api/overview\">"), "{page:?}");
    }
    for path in ["/api", "/api/", "/stats"] {
        let moved = get(&desk, path);
        assert_eq!((moved.status, moved.header("location")), (301, Some("/api/index.html")), "{path}");
    }
    assert_eq!(Request::new("POST", "/").send(desk.address).status, 405);
    assert_eq!(Request::new("HEAD", "/").send(desk.address).body, "");
}

#[test]
fn with_a_prefix_everything_is_behind_it() {
    let data = TempDir::new();
    let management = ManagementConfig { path_prefix: Some("/mq".to_owned()), ..ManagementConfig::default() };
    let data_dir = data.path().to_owned();
    let desk = Desk::with(Config { in_memory: true, management, data_dir, ..Config::default() });
    for (path, status, location) in [
        ("/mq/api/version", 200, None),
        ("/mq/api/version/", 200, None),
        ("/mq", 200, None),
        ("/mq/", 200, None),
        ("/mq/api", 301, Some("/mq/api/index.html")),
        ("/", 301, Some("/mq/")),
        ("/api/version", 404, None),
        ("/mqx/api/version", 404, None),
    ] {
        let answer = get(&desk, path);
        assert_eq!((answer.status, answer.header("location")), (status, location), "{path}");
    }
    // The commands of this machine need not know it.
    for path in ["/mq/api/whoami", "/api/whoami"] {
        let answer = Request::new("GET", path).send_to(&socket_path(data.path()));
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[test]
fn pages_of_origins_that_are_allowed_may_ask_and_others_may_not() {
    let allows = |origins: &[&str]| {
        let cors_allow_origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let browsers = Browsers { cors_allow_origins, cors_max_age: 60, ..Browsers::default() };
        with(ManagementConfig { browsers, ..ManagementConfig::default() })
    };
    for (origins, origin, status, allowed, credentials) in [
        (&[][..], "https://ui.example", 403, None, None),
        (&["https://ui.example"], "https://ui.example", 200, Some("https://ui.example"), Some("true")),
        (&["https://ui.example"], "https://ui.example.org", 403, None, None),
        (&["https://ui.example"], "null", 403, None, None),
        (&["*"], "https://any.example", 200, Some("*"), None),
        (&["*"], "null", 403, None, None),
    ] {
        let desk = allows(origins);
        let asked = |method| Request::new(method, "/api/vhosts/%2F").header("origin", origin);
        let answer = asked("GET").login("guest", "guest").send(desk.address);
        assert_eq!(answer.status, status, "{origins:?} {origin}");
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origins:?} {origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{origins:?} {origin}");
        let before = asked("OPTIONS").header("access-control-request-headers", "authorization");
        let before = before.send(desk.address);
        let told = ["allow-origin", "allow-methods", "allow-headers", "max-age"]
            .map(|name| before.header(&format!("access-control-{name}")).map(str::to_owned));
        let expected = allowed.map_or([None, None, None, None], |origin| {
            [origin, "HEAD, GET, PUT, DELETE, OPTIONS", "authorization", "60"]
                .map(|text| Some(text.to_owned()))
        });
        assert_eq!(told, expected, "{origins:?} {origin}");
    }
}

#[test]
fn answers_have_the_fields_that_are_configured_for_browsers() {
    let browsers = Browsers {
        csp_policy: Some("default-src 'self'".to_owned()),
        hsts_policy: Some("max-age=60".to_owned()),
        frame_options: Some("DENY".to_owned()),
        ..Browsers::default()
    };
    let desk = with(ManagementConfig { browsers, ..ManagementConfig::default() });
    for (path, status) in [("/", 200), ("/api/version", 200), ("/api/users", 401), ("/nowhere", 404)] {
        let answer = get(&desk, path);
        assert_eq!(answer.status, status, "{path}");
        for (name, expected) in [
            ("content-security-policy", Some("default-src 'self'")),
            ("strict-transport-security", Some("max-age=60")),
            ("x-frame-options", Some("DENY")),
            ("x-content-type-options", Some("nosniff")),
            ("referrer-policy", None),
        ] {
            assert_eq!(answer.header(name), expected, "{path} {name}");
        }
    }
}

#[test]
fn whether_the_broker_lives_and_is_ready_is_told_without_a_password_until_it_ends() {
    let desk = Desk::new();
    let address = desk.broker().metrics_addresses()[0];
    let ask = |path: &str| Request::new("GET", path).send(address);
    for path in ["/health/live", "/health/ready"] {
        let answer = ask(path);
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ok" })), "{path}");
    }
    assert!(ask("/").body.contains("<a href=\"/metrics\">"));
    assert_eq!(ask("/api/whoami").status, 404);
    desk.broker().environment().stopping.cancel();
    let stopping = json!({ "status": "failed", "reason": "The broker is stopping" });
    assert_eq!((ask("/health/ready").status, ask("/health/ready").json()), (503, stopping));
    assert_eq!(ask("/health/live").status, 200);
    desk.check(&[("GET", "/metrics", Value::Null, 404, no_object())]);
}
