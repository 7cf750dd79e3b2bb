//! Users.

use leveret::auth::{AccessSettings, CredentialRules, CredentialValidator, DefaultUser, Hashing, Secret};
use leveret::config::Config;
use serde_json::{Value, json};

use crate::desk::{Desk, bad_request, no_object, not_authorised};
use crate::http::Request;

#[test]
fn a_user_is_made_changed_and_deleted() {
    let desk = Desk::new();
    let hash = "27cx5+wEi8R8uwTeTr3hk5azuV3yYxxAtwPPhCyrbdsxVhqq";
    desk.check(&[
        ("PUT", "/api/users/u", json!({ "password": "u", "tags": "management" }), 201, Value::Null),
        ("PUT", "/api/users/u", json!({ "password": "u", "tags": ["management", "x"] }), 204, Value::Null),
        ("PUT", "/api/users/v", json!({ "password": "x" }), 400, bad_request("tags_not_present")),
        (
            "PUT",
            "/api/users/v",
            json!({ "password_hash": "zzz", "tags": "" }),
            400,
            bad_request(json!(["not_base64", "zzz"])),
        ),
        ("PUT", "/api/users/h", json!({ "password_hash": hash, "tags": "management" }), 201, Value::Null),
        ("PUT", "/api/users/n", json!({ "password_hash": "", "tags": "management" }), 201, Value::Null),
        (
            "PUT",
            &format!("/api/users/{}", "n".repeat(256)),
            json!({ "password": "u", "tags": "" }),
            400,
            bad_request("A name has at most 255 bytes"),
        ),
        ("GET", "/api/users/none", Value::Null, 404, no_object()),
        ("DELETE", "/api/users/none", Value::Null, 404, no_object()),
        ("DELETE", "/api/users/n", Value::Null, 204, Value::Null),
    ]);
    assert_eq!(
        desk.get("/api/users/h"),
        json!({
            "name": "h", "password_hash": hash, "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["management"], "limits": {},
        })
    );
    let whoami = Request::new("GET", "/api/whoami").login("h", "foobarbaz").send(desk.address);
    assert_eq!(whoami.status, 200, "a hash that RabbitMQ has made is of its password");
    assert_eq!(
        desk.ask_as("u", "GET", "/api/whoami", &Value::Null).json()["tags"],
        json!(["management", "x"])
    );
    let names = |path: &str| {
        let users = desk.get(path);
        users
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("/api/users"), ["guest", "h", "u"]);
    assert_eq!(names("/api/users/without-permissions"), ["h", "u"]);
    desk.check(&[
        ("POST", "/api/users/bulk-delete", json!({}), 400, bad_request("[{key_missing,users}]")),
        (
            "POST",
            "/api/users/bulk-delete",
            json!({ "users": ["h", "none"] }),
            400,
            bad_request(json!(["no_such_user", "none"])),
        ),
        ("GET", "/api/users/h", Value::Null, 200, Value::Null),
        ("POST", "/api/users/bulk-delete", json!({ "users": ["h", "u"] }), 204, Value::Null),
        ("GET", "/api/users/h", Value::Null, 404, no_object()),
    ]);
}

#[test]
fn passwords_are_as_the_configuration_wants_them_and_hashed_as_it_says() {
    let credentials = CredentialRules {
        validator: CredentialValidator::MinLength,
        min_length: 8,
        ..CredentialRules::default()
    };
    let default_user = DefaultUser { password: Secret::new(*b"a long one"), ..DefaultUser::default() };
    let access =
        AccessSettings { default_user, hashing: Hashing::Sha512, credentials, ..AccessSettings::default() };
    let desk = Desk::with(Config { in_memory: true, access, ..Config::default() });
    let why = "credential_validation_failed: minimum required password length is 8; it is \
               credential_validator.min_length in the configuration";
    let hash = "27cx5+wEi8R8uwTeTr3hk5azuV3yYxxAtwPPhCyrbdsxVhqq";
    let ask = |method: &str, path: &str, body: &Value| {
        Request::new(method, path).login("guest", "a long one").body(body.to_string()).send(desk.address)
    };
    for (path, body, status) in [
        ("/api/users/u", json!({ "password": "7 bytes", "tags": "" }), 400),
        ("/api/users/u", json!({ "tags": "" }), 400),
        ("/api/users/u", json!({ "password": "8  bytes", "tags": "" }), 201),
        ("/api/users/u", json!({ "password": "", "tags": "" }), 400),
        // Its password is taken away.
        ("/api/users/u", json!({ "tags": "" }), 204),
        ("/api/users/h", json!({ "password_hash": hash, "tags": "" }), 201),
        ("/api/users/n", json!({ "password_hash": "", "tags": "" }), 201),
        ("/api/users/g", json!({ "password": "another one", "tags": "" }), 201),
    ] {
        let answer = ask("PUT", path, &body);
        assert_eq!(answer.status, status, "{path} {body}");
        if status == 400 {
            assert_eq!(answer.json(), bad_request(why), "{path} {body}");
        }
    }
    let short = json!({ "users": [{ "name": "d", "password": "short", "tags": "" }] });
    let answer = ask("POST", "/api/definitions", &short);
    assert!(answer.json().to_string().contains(why), "{}", answer.json());
    let algorithm = |user: &str| {
        let answer = ask("GET", &format!("/api/users/{user}"), &Value::Null);
        answer.json()["hashing_algorithm"].as_str().unwrap().to_owned()
    };
    assert_eq!(algorithm("g"), "rabbit_password_hashing_sha512");
    assert_eq!(algorithm("guest"), "rabbit_password_hashing_sha512");
    assert_eq!(algorithm("h"), "rabbit_password_hashing_sha256", "what is hashed stays");
    assert_eq!(ask("GET", "/api/users/d", &Value::Null).status, 404);
}

#[test]
fn a_password_is_hashed_for_whoever_asks() {
    let desk = Desk::new();
    let hash = desk.get("/api/auth/hash_password/secret%2F1")["ok"].clone();
    desk.done("PUT", "/api/users/u", &json!({ "password_hash": hash, "tags": "management" }));
    let whoami = Request::new("GET", "/api/whoami").login("u", "secret/1").send(desk.address);
    assert_eq!(whoami.status, 200);
}

#[test]
fn a_form_says_whether_somebody_may_manage_and_no_password_comes_back() {
    let desk = Desk::new();
    desk.done("PUT", "/api/users/u", &json!({ "password": "p+ %:", "tags": "management" }));
    desk.done("PUT", "/api/users/client", &json!({ "password": "p", "tags": "" }));
    let log_in = |form: &str| Request::new("POST", "/api/login").body(form).send(desk.address);
    let answer = log_in("username=u&password=p%2B+%25%3A");
    assert_eq!((answer.status, answer.json()), (200, json!("ok")));
    assert_eq!(answer.header("set-cookie"), None);
    let unauthorized = json!({ "error": "not_authorized", "reason": "Not_Authorized" });
    for form in ["username=u&password=p", "username=u", "password=p", "", "{}", "username=none&password=p"] {
        let answer = log_in(form);
        assert_eq!((answer.status, answer.json()), (401, unauthorized.clone()), "{form}");
        assert_eq!(answer.header("set-cookie"), None, "{form}");
    }
    let answer = log_in("username=client&password=p");
    assert_eq!((answer.status, answer.json()), (401, not_authorised("Not management user")));
}

#[test]
fn forms_that_fail_count_as_logins_that_do_and_hold_up_nobody_else() {
    let desk = Desk::new();
    let failing = || Request::new("POST", "/api/login").body("username=guest&password=x").send(desk.address);
    let node = desk.get("/api/nodes")[0]["name"].as_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..10).for_each(|_| assert_eq!(failing().status, 401)))).collect();
        while tries.iter().any(|tried| !tried.is_finished()) {
            assert_eq!(desk.get("/api/whoami")["name"], "guest");
        }
    });
    let attempts = desk.get(&format!("/api/auth/attempts/{node}"));
    let failed: u64 =
        attempts.as_array().unwrap().iter().filter_map(|row| row["auth_attempts_failed"].as_u64()).sum();
    assert_eq!(failed, 80, "{attempts}");
}
