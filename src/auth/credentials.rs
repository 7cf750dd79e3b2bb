//! Which passwords users may be given.

use std::fmt;

use crate::pattern::Pattern;

/// What a password has to be like, with RabbitMQ's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRules {
    /// By which of the two below it is judged (`credential_validator.validation_backend`).
    pub validator: CredentialValidator,
    /// It has so many bytes at least (`credential_validator.min_length`).
    pub min_length: u64,
    /// This is found in it (`credential_validator.regexp`).
    pub pattern: Option<String>,
}

/// How a password is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialValidator {
    /// Not at all.
    #[default]
    AcceptEverything,
    /// By its length.
    MinLength,
    /// By a regular expression.
    Pattern,
}

/// Why a password is not taken. It says nothing of the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsRefused {
    /// It is shorter than this.
    TooShort(u64),
    /// The pattern is not found in it.
    NoMatch,
}

impl Default for CredentialRules {
    fn default() -> Self {
        Self { validator: CredentialValidator::default(), min_length: 5, pattern: None }
    }
}

impl CredentialRules {
    /// Whether a user may have this password, or none.
    pub fn check(&self, password: Option<&[u8]>) -> Result<(), CredentialsRefused> {
        match self.validator {
            CredentialValidator::AcceptEverything => Ok(()),
            CredentialValidator::MinLength => {
                let length = password.map_or(0, |password| password.len() as u64);
                let is_long = password.is_some() && length >= self.min_length;
                if is_long { Ok(()) } else { Err(CredentialsRefused::TooShort(self.min_length)) }
            }
            CredentialValidator::Pattern => {
                let pattern = self.pattern.as_deref().and_then(|pattern| Pattern::parse(pattern).ok());
                let is_match =
                    password.zip(pattern).is_some_and(|(password, pattern)| pattern.matches_bytes(password));
                if is_match { Ok(()) } else { Err(CredentialsRefused::NoMatch) }
            }
        }
    }
}

impl fmt::Display for CredentialsRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(min) => write!(
                f,
                "minimum required password length is {min}; it is credential_validator.min_length in the configuration"
            ),
            Self::NoMatch => f.write_str(
                "provided password does not match the validator regular expression; it is credential_validator.regexp in \
                 the configuration",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_judged_by_what_is_configured_and_by_nothing_else() {
        use CredentialValidator::{AcceptEverything, MinLength, Pattern};
        let rules = |validator, min_length, pattern: Option<&str>| CredentialRules {
            validator,
            min_length,
            pattern: pattern.map(str::to_owned),
        };
        for (rules, password, expected) in [
            (CredentialRules::default(), Some(""), true),
            (rules(AcceptEverything, 9, Some("x")), None, true),
            (rules(MinLength, 5, None), Some("guest"), true),
            (rules(MinLength, 5, None), Some("gues"), false),
            // Bytes, as RabbitMQ counts them.
            (rules(MinLength, 6, None), Some("\u{fc}\u{fc}\u{fc}"), true),
            (rules(MinLength, 0, None), Some(""), true),
            (rules(MinLength, 0, None), None, false),
            (rules(MinLength, 5, Some("^x")), Some("guest"), true),
            // Anywhere in it.
            (rules(Pattern, 50, Some("[0-9]")), Some("a1b"), true),
            (rules(Pattern, 0, Some("[0-9]")), Some("ab"), false),
            (rules(Pattern, 0, Some("^[a-z]+$")), Some("ab1"), false),
            // Classes are of ASCII and one character of bytes, as they are there.
            (rules(Pattern, 0, Some(r"^\w{2}\d$")), Some("ab1"), true),
            (rules(Pattern, 0, Some("^.{6}$")), Some("\u{fc}\u{fc}\u{fc}"), true),
            (rules(Pattern, 0, Some(r"^(?=.*[A-Z])(?=.*\d).{4,}$")), Some("abC1"), true),
            (rules(Pattern, 0, Some(r"^(?=.*[A-Z])(?=.*\d).{4,}$")), Some("abc1"), false),
            (rules(Pattern, 0, Some(".*")), None, false),
            (rules(Pattern, 0, None), Some("ab"), false),
        ] {
            assert_eq!(rules.check(password.map(str::as_bytes)).is_ok(), expected, "{rules:?} {password:?}");
        }
    }
}
