//! Kinds of values of HTTP servers.

use std::path::PathBuf;

use super::{Form, Kind, Shown};
use crate::config::{FileMode, SocketFile};

/// The value of a field of an answer's head.
pub(in crate::config) static HEADER: Kind<String> = Kind {
    form: Form::Plain,
    placeholder: "TEXT",
    choices: &[],
    read: |text| {
        if text.is_empty() || !text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) {
            return Err("expected printable ASCII".to_owned());
        }
        Ok(text.to_owned())
    },
    show: |value| Shown::Text(value.clone()),
};

/// A path that begins with a slash.
pub(in crate::config) static URL_PATH: Kind<String> = Kind {
    form: Form::Plain,
    placeholder: "PATH",
    choices: &[],
    read: |text| {
        let rest = text.strip_prefix('/').filter(|rest| !rest.is_empty() && !rest.ends_with('/'));
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/-._~".contains(&octet);
        match rest {
            Some(rest) if rest.bytes().all(is_plain) && !rest.starts_with('/') && !rest.contains("//") => {
                Ok(text.to_owned())
            }
            _ => Err("expected a path of letters, digits, -._~ and slashes, such as /metrics".to_owned()),
        }
    },
    show: |value| Shown::Text(value.clone()),
};

/// The same before other paths: RabbitMQ takes it with a slash at its end or without one at its start.
pub(in crate::config) static PREFIX: Kind<String> = Kind {
    form: Form::Plain,
    placeholder: "PATH",
    choices: &[],
    read: |text| {
        let trimmed = text.trim_matches('/');
        (URL_PATH.read)(&format!("/{trimmed}"))
            .map_err(|_| "expected a path of letters, digits, -._~ and slashes, such as /mq".to_owned())
    },
    show: |value| Shown::Text(value.clone()),
};

pub(in crate::config) static SOCKET: Kind<SocketFile> = Kind {
    form: Form::Plain,
    placeholder: "PATH",
    choices: &[],
    read: |text| match text {
        "none" => Ok(SocketFile::Nowhere),
        _ if text.is_empty() || text.contains('\0') => Err("expected a path, or none".to_owned()),
        _ if text.len() > SOCKET_PATH_MAX_BYTES => {
            Err(format!("the path of a socket has at most {SOCKET_PATH_MAX_BYTES} bytes"))
        }
        _ => Ok(SocketFile::At(PathBuf::from(text))),
    },
    show: |value| {
        Shown::Text(match value {
            SocketFile::Nowhere => "none".to_owned(),
            SocketFile::At(path) => path.display().to_string(),
        })
    },
};
/// Of 107 on Linux a few are for the name that it has until it may be found.
const SOCKET_PATH_MAX_BYTES: usize = 103;

pub(in crate::config) static MODE: Kind<FileMode> = Kind {
    form: Form::Plain,
    placeholder: "OCTAL",
    choices: &[],
    read: |text| {
        let mode =
            u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && (3..=4).contains(&text.len()));
        mode.map(FileMode).ok_or_else(|| "expected octal permissions, such as 0600 or 660".to_owned())
    },
    show: |value| Shown::Text(format!("{:04o}", value.0)),
};
