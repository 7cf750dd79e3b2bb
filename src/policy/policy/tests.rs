use serde_json::json;

use super::*;

fn text(kind: PolicyKind, pattern: &str, apply_to: &str, definition: &Value) -> String {
    match Policy::parse(kind, "p", pattern, apply_to, 0, definition) {
        Ok(_) => String::new(),
        Err(invalid) => invalid.to_string(),
    }
}

#[test]
fn a_policy_that_cannot_be_is_refused_for_all_its_reasons() {
    let some = json!({"max-length": 1});
    let validation = |reasons: &str| format!("Validation failed\n\n{reasons}\n");
    let apply_to = "apply-to 'bar' unrecognised; should be one of: 'queues', 'classic_queues',  \
                    'quorum_queues', 'streams', 'exchanges', or 'all'";
    let pattern = "pattern should be regular expression but is invalid: \"unclosed group\"";
    for (kind, given, to, definition, reasons) in [
        (PolicyKind::User, "x", "all", json!({}), "no policy provided".to_owned()),
        (PolicyKind::User, "x", "all", json!([]), "no policy provided".to_owned()),
        (PolicyKind::User, "x", "all", json!([1, 2]), "definition must be a dictionary: [1,2]".to_owned()),
        (
            PolicyKind::User,
            "x",
            "all",
            json!(5),
            "parse error while reading policy definition: 5. Validator: policy_validator.".to_owned(),
        ),
        (
            PolicyKind::Operator,
            "x",
            "all",
            json!("s"),
            "parse error while reading policy definition: <<\"s\">>. Validator: operator_policy_validator."
                .to_owned(),
        ),
        (PolicyKind::User, "x", "bar", some.clone(), apply_to.to_owned()),
        (PolicyKind::User, "(", "all", some.clone(), pattern.to_owned()),
        (
            PolicyKind::User,
            "(",
            "bar",
            json!({"max-length": -1}),
            format!("-1 is not a valid maximum length\n{apply_to}\n{pattern}"),
        ),
        (PolicyKind::User, &"a".repeat(1025), "all", some, "pattern must not exceed 1024 bytes".to_owned()),
    ] {
        assert_eq!(text(kind, given, to, &definition), validation(&reasons), "{given} {to} {definition}");
    }
    assert_eq!(text(PolicyKind::User, &"a".repeat(1024), "streams", &json!({"max-age": "1D"})), "");
}
