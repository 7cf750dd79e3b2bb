use proptest::prelude::*;

use super::*;

#[test]
fn a_pattern_is_found_anywhere_in_a_name_unless_it_says_where() {
    for (pattern, name, expected) in [
        ("", "anything", true),
        (".*", "", true),
        ("a", "xax", true),
        ("^a", "xa", false),
        ("a$", "xa", true),
        ("^(amq\\.)", "amq.gen-1", true),
        ("^\\d{2,3}$", "12", true),
        ("^\\d{2,3}$", "1234", false),
        ("^[[:alpha:]]+$", "abc", true),
        ("(?i)^ORDERS", "orders.1", true),
        ("^a|b$", "xb", true),
        // PCRE counts bytes.
        ("^..$", "é", true),
        ("^é$", "é", true),
        ("^[éà]$", "à", true),
        ("\\w", "é", false),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn look_ahead_at_the_beginning_is_understood() {
    for (pattern, name, expected) in [
        ("^(?!amq\\.).*", "amq.gen-1", false),
        ("^(?!amq\\.).*", "orders", true),
        ("^(?!amq\\.).*", "my.amq.q", true),
        ("^(?!(amq\\.|mqtt-)).+$", "mqtt-subscription", false),
        ("^(?!(amq\\.|mqtt-)).+$", "events", true),
        ("^(?!a)(?!b)", "b1", false),
        ("^(?!a)(?!b)", "c", true),
        ("^(?=.*x)(?!a).*y$", "bxy", true),
        ("^(?=.*x)(?!a).*y$", "by", false),
        ("^(?!a).*|special", "a-special", true),
        ("^(?!a).*|special", "a-normal", false),
        ("(?i)^(?!AMQ)", "amq.x", false),
        ("^(?![)(|]a).*", "|a", false),
        ("^(?![)(|]a).*", "ba", true),
        ("^(?![]|]a).*", "]a", false),
        ("^(?![^]]a)", "xa", false),
        ("^(?!a\\)|b)c", "c", true),
        ("^(?!a\\)|c)c", "c", false),
        ("^(?!.*\\.dlq$)orders\\.", "orders.in.dlq", false),
        ("^(?!.*\\.dlq$)orders\\.", "orders.in", true),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_the_reason() {
    for (pattern, reason) in [
        ("(", "unclosed group"),
        ("[a", "unclosed character class"),
        ("*", "repetition operator missing expression"),
        ("a)", "unopened group"),
        ("^(?!a", "look-around, including look-ahead and look-behind, is not supported"),
        ("b(?!a)", "look-around, including look-ahead and look-behind, is not supported"),
        ("(a)\\1", "backreferences are not supported"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err(), reason, "{pattern}");
    }
    assert!(Pattern::parse("(((a{100}){100}){100}){100}").unwrap_err().contains("exceeds size limit"));
}

proptest! {
    #[test]
    fn any_text_is_a_pattern_or_none(text in "[a-c().?!=|^\\[\\]\\\\é*+{}0-9]{0,24}", name in "[a-cé.]{0,8}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.matches(&name);
            prop_assert_eq!(pattern.as_str(), text);
        }
    }

    #[test]
    fn a_refusal_ahead_matches_what_its_own_pattern_does_not(ahead in "[ab.*|]{1,5}", name in "[abc]{0,6}") {
        let Ok(positive) = Pattern::parse(&format!("^(?:{ahead})")) else { return Ok(()) };
        let negative = Pattern::parse(&format!("^(?!{ahead})")).unwrap();
        prop_assert_eq!(negative.matches(&name), !positive.matches(&name));
    }
}
