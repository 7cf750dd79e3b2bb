//! Names that the broker gives: random, so that nobody guesses another's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `prefix` and 22 characters of URL-safe base64 of 128 random bits, as RabbitMQ's are.
pub fn name(prefix: &str) -> String {
    let mut random = [0_u8; 16];
    if getrandom::fill(&mut random).is_err() {
        // Without the system's randomness (it cannot fail on Linux once booted) names must still differ.
        random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), prefix)
            .to_le_bytes()
            .repeat(2)
            .try_into()
            .unwrap_or(random);
    }
    let mut name = String::with_capacity(prefix.len() + 22);
    name.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(random, &mut name);
    name
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_names_differ_and_have_rabbitmqs_length() {
        let (first, second) = (super::name("amq.gen-"), super::name("amq.gen-"));
        assert_ne!(first, second);
        assert_eq!(first.len(), "amq.gen-".len() + 22);
    }
}
