//! Kinds of values of passwords.

use super::{Form, Kind, Shown};
use crate::auth::{CredentialValidator, Hashing};

pub(in crate::config) static HASHING: Kind<Hashing> = Kind {
    form: Form::Plain,
    placeholder: "HASHING",
    choices: &[
        "rabbit_password_hashing_sha256",
        "rabbit_password_hashing_sha512",
        "rabbit_password_hashing_md5",
    ],
    read: |text| {
        Hashing::from_name(text).ok_or_else(|| {
            "expected rabbit_password_hashing_sha256, rabbit_password_hashing_sha512 or rabbit_password_hashing_md5"
                .to_owned()
        })
    },
    show: |value| Shown::Text(value.as_str().to_owned()),
};

pub(in crate::config) static CREDENTIAL_VALIDATOR: Kind<CredentialValidator> = Kind {
    form: Form::Plain,
    placeholder: "VALIDATOR",
    choices: &[
        "rabbit_credential_validator_accept_everything",
        "rabbit_credential_validator_min_password_length",
        "rabbit_credential_validator_password_regexp",
    ],
    read: |text| {
        let found = VALIDATORS.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            "expected rabbit_credential_validator_accept_everything, \
             rabbit_credential_validator_min_password_length or rabbit_credential_validator_password_regexp"
                .to_owned()
        })
    },
    show: |value| {
        let found = VALIDATORS.iter().find(|(_, one)| one == value);
        found.map_or(Shown::Unset, |(name, _)| Shown::Text((*name).to_owned()))
    },
};
const VALIDATORS: [(&str, CredentialValidator); 3] = [
    ("rabbit_credential_validator_accept_everything", CredentialValidator::AcceptEverything),
    ("rabbit_credential_validator_min_password_length", CredentialValidator::MinLength),
    ("rabbit_credential_validator_password_regexp", CredentialValidator::Pattern),
];
