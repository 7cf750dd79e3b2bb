//! How values of a kind are written: read from text, shown as text.

mod access;
mod http;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::{Mechanism, Secret, Tags};
use crate::name::{UserName, VhostName};

use super::rotation::RotationDate;
use super::shown::Shown;
use super::units::{parse_bytes, parse_duration};
use super::{
    DefaultLimits, DefaultPolicy, DiskLimit, Durability, Listen, ListenAddress, LogFormat, LogLevel,
    MemoryLimit, RatesMode, VhostUser,
};
pub(super) use access::{CREDENTIAL_VALIDATOR, HASHING};
pub(super) use http::{HEADER, MODE, PREFIX, SOCKET, URL_PATH};
pub(super) use tls::{CERT_LOGIN, NETWORK, SAN_TYPE, TLS_VERSION, VERIFY};

/// AMQP 0-9-1's short strings are no longer.
const NAME_MAX_BYTES: usize = 255;

/// What is special about values of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing.
    Plain,
    /// They are true or false.
    Switch,
    /// They are not shown.
    Secret,
}

/// A way to write values of a type. What is shown is read as the same value, unless it is a secret.
pub(super) struct Kind<T> {
    /// What is special about it.
    pub form: Form,
    /// What stands for a value in help, such as `BYTES`.
    pub placeholder: &'static str,
    /// Every value, where there are few.
    pub choices: &'static [&'static str],
    /// Reads a value, or says what is expected.
    pub read: fn(&str) -> Result<T, String>,
    /// Shows it.
    pub show: fn(&T) -> Shown,
}

/// `true` or `false`.
pub(super) static SWITCH: Kind<bool> = Kind {
    form: Form::Switch,
    placeholder: "BOOL",
    choices: &["true", "false"],
    read: |text| match text {
        "true" | "on" | "yes" => Ok(true),
        "false" | "off" | "no" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    },
    show: |value| literal(value),
};

pub(super) static TEXT: Kind<String> = Kind {
    form: Form::Plain,
    placeholder: "TEXT",
    choices: &[],
    read: |text| {
        if text.chars().any(char::is_control) {
            return Err("expected text without control characters".to_owned());
        }
        Ok(text.to_owned())
    },
    show: |value| Shown::Text(value.clone()),
};

/// A node's name, with or without its host.
pub(super) static NODE: Kind<String> = Kind {
    form: Form::Plain,
    placeholder: "NAME",
    choices: &[],
    read: |text| {
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'@')
        };
        if text.len() > 255 || text.split('@').count() > 2 || !text.split('@').all(is_part) {
            return Err("expected a name such as rabbit or rabbit@host".to_owned());
        }
        Ok(text.to_owned())
    },
    show: |value| Shown::Text(value.clone()),
};

/// A name of AMQP: it fits a short string, whatever it is of.
pub(super) static USER: Kind<UserName> = Kind {
    form: Form::Plain,
    placeholder: "NAME",
    choices: &[],
    read: name,
    show: |value| Shown::Text(value.to_string()),
};
pub(super) static VHOST: Kind<VhostName> = Kind {
    form: Form::Plain,
    placeholder: "NAME",
    choices: &[],
    read: name,
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static SECRET: Kind<Secret> = Kind {
    form: Form::Secret,
    placeholder: "SECRET",
    choices: &[],
    read: |text| Ok(Secret::new(text.as_bytes())),
    show: |_| Shown::Hidden,
};

pub(super) static MECHANISM: Kind<Mechanism> = Kind {
    form: Form::Plain,
    placeholder: "NAME",
    choices: &["PLAIN", "AMQPLAIN", "EXTERNAL", "ANONYMOUS"],
    read: |text| {
        Mechanism::from_name(text).ok_or_else(|| "expected PLAIN, AMQPLAIN, EXTERNAL or ANONYMOUS".to_owned())
    },
    show: |value| Shown::Text(value.name().to_owned()),
};

pub(super) static TAGS: Kind<Tags> = Kind {
    form: Form::Plain,
    placeholder: "TAG,...",
    choices: &[],
    read: |text| Tags::parse(text).map_err(|error| error.to_string()),
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static PATH: Kind<PathBuf> = Kind {
    form: Form::Plain,
    placeholder: "PATH",
    choices: &[],
    read: |text| {
        if text.is_empty() || text.contains('\0') {
            return Err("expected a path".to_owned());
        }
        Ok(PathBuf::from(text))
    },
    show: |value| Shown::Text(value.display().to_string()),
};

pub(super) static ADDRESS: Kind<ListenAddress> = Kind {
    form: Form::Plain,
    placeholder: "ADDR:PORT",
    choices: &[],
    read: |text| text.parse().map_err(|error: super::listen_address::InvalidListenAddress| error.to_string()),
    show: |value| {
        Shown::Text(match value {
            // Its address would stand for IPv6 alone.
            ListenAddress::AllInterfaces(port) => port.to_string(),
            ListenAddress::At(address) => address.to_string(),
        })
    },
};

pub(super) static LISTEN: Kind<Listen> = Kind {
    form: Form::Plain,
    placeholder: "ADDR:PORT",
    choices: &[],
    read: |text| {
        let read = text.parse();
        read.map_err(|error: super::listen_address::InvalidListenAddress| format!("{error}, or none"))
    },
    show: |value| {
        Shown::Text(match value {
            Listen::At(ListenAddress::AllInterfaces(port)) => port.to_string(),
            Listen::Nowhere | Listen::At(_) => value.to_string(),
        })
    },
};

pub(super) static IP: Kind<std::net::IpAddr> = Kind {
    form: Form::Plain,
    placeholder: "ADDR",
    choices: &[],
    read: |text| text.parse().map_err(|_| "expected an IP address, such as 127.0.0.1 or ::1".to_owned()),
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static DURABILITY: Kind<Durability> = Kind {
    form: Form::Plain,
    placeholder: "MODE",
    choices: &["fsync", "os", "memory"],
    read: |text| text.parse().map_err(|error: super::UnknownDurability| error.to_string()),
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static RATES_MODE: Kind<RatesMode> = Kind {
    form: Form::Plain,
    placeholder: "MODE",
    choices: &["none", "basic", "detailed"],
    read: |text| text.parse().map_err(|error: super::statistics::UnknownRatesMode| error.to_string()),
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static LEVEL: Kind<LogLevel> = Kind {
    form: Form::Plain,
    placeholder: "LEVEL",
    choices: &LogLevel::NAMES,
    read: |text| text.parse().map_err(|error: super::log::UnknownLevel| error.to_string()),
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static FORMAT: Kind<LogFormat> = Kind {
    form: Form::Plain,
    placeholder: "FORMAT",
    choices: &["human", "json"],
    read: |text| match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected human or json".to_owned()),
    },
    show: |value| {
        Shown::Text(match value {
            LogFormat::Human => "human".to_owned(),
            LogFormat::Json => "json".to_owned(),
        })
    },
};

pub(super) static ROTATION: Kind<RotationDate> = Kind {
    form: Form::Plain,
    placeholder: "WHEN",
    choices: &[],
    read: |text| text.parse().map_err(|error: super::rotation::InvalidRotationDate| error.to_string()),
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static MEMORY: Kind<MemoryLimit> = Kind {
    form: Form::Plain,
    placeholder: "SIZE|SHARE",
    choices: &[],
    read: |text| text.parse().map_err(|error: super::InvalidUnit| error.to_string()),
    show: |value| match value {
        MemoryLimit::Absolute(bytes) => size(*bytes),
        // With a point, without which it would be bytes.
        MemoryLimit::Relative(share) if share.fract() == 0.0 => Shown::Literal(format!("{share:.1}")),
        MemoryLimit::Relative(share) => literal(share),
    },
};

pub(super) static DISK: Kind<DiskLimit> = Kind {
    form: Form::Plain,
    placeholder: "SIZE|FACTOR",
    choices: &[],
    read: |text| text.parse().map_err(|error: super::InvalidUnit| error.to_string()),
    show: |value| match value {
        DiskLimit::Absolute(bytes) => size(*bytes),
        // With a point, without which it would be bytes.
        DiskLimit::Relative(times) if times.fract() == 0.0 => Shown::Literal(format!("{times:.1}")),
        DiskLimit::Relative(times) => literal(times),
    },
};

/// A queue's type.
pub(super) static QUEUE_TYPE: Kind<String> = Kind {
    form: Form::Plain,
    placeholder: "TYPE",
    choices: &["classic", "quorum"],
    read: |text| match text {
        "classic" | "quorum" => Ok(text.to_owned()),
        _ => Err("expected classic or quorum".to_owned()),
    },
    show: |value| Shown::Text(value.clone()),
};

pub(super) static LIMITS: Kind<DefaultLimits> = Kind {
    form: Form::Plain,
    placeholder: "WORDS",
    choices: &[],
    read: str::parse,
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static VHOST_USERS: Kind<VhostUser> = Kind {
    form: Form::Secret,
    placeholder: "WORDS",
    choices: &[],
    read: str::parse,
    show: |_| Shown::Hidden,
};

pub(super) static POLICIES: Kind<DefaultPolicy> = Kind {
    form: Form::Plain,
    placeholder: "WORDS",
    choices: &[],
    read: str::parse,
    show: |value| Shown::Text(value.to_string()),
};

pub(super) static BYTES: Kind<u64> = Kind {
    form: Form::Plain,
    placeholder: "BYTES",
    choices: &[],
    read: |text| parse_bytes(text).map_err(|error| error.to_string()),
    show: |value| size(*value),
};

/// The same where 4 GiB are beyond all.
pub(super) static BYTES_BELOW_4_GIB: Kind<u32> = Kind {
    form: Form::Plain,
    placeholder: "BYTES",
    choices: &[],
    read: |text| {
        let bytes = (BYTES.read)(text)?;
        u32::try_from(bytes).map_err(|_| "expected less than 4GiB".to_owned())
    },
    show: |value| size((*value).into()),
};

pub(super) static DURATION: Kind<Duration> = Kind {
    form: Form::Plain,
    placeholder: "DURATION",
    choices: &[],
    read: |text| parse_duration(text).map_err(|error| error.to_string()),
    show: |value| {
        let unit = if value.subsec_millis() == 0 { "s" } else { "ms" };
        let number = if unit == "s" { value.as_secs().into() } else { value.as_millis() };
        Shown::Text(format!("{number}{unit}"))
    },
};

/// Whole seconds, as many as AMQP can say.
pub(super) static SECONDS: Kind<u16> = Kind {
    form: Form::Plain,
    placeholder: "SECONDS",
    choices: &[],
    read: |text| {
        let interval = (DURATION.read)(text)?;
        if interval.subsec_millis() != 0 {
            return Err("expected whole seconds".to_owned());
        }
        u16::try_from(interval.as_secs()).map_err(|_| "expected at most 65535 seconds".to_owned())
    },
    show: |value| literal(value),
};

pub(super) static NUMBER_16: Kind<u16> =
    Kind { form: Form::Plain, placeholder: "N", choices: &[], read: number, show: |value| literal(value) };
pub(super) static NUMBER_32: Kind<u32> =
    Kind { form: Form::Plain, placeholder: "N", choices: &[], read: number, show: |value| literal(value) };
pub(super) static NUMBER_64: Kind<u64> =
    Kind { form: Form::Plain, placeholder: "N", choices: &[], read: number, show: |value| literal(value) };
pub(super) static NUMBER: Kind<usize> =
    Kind { form: Form::Plain, placeholder: "N", choices: &[], read: number, show: |value| literal(value) };

fn name<N: for<'a> From<&'a str>>(text: &str) -> Result<N, String> {
    if text.is_empty() || text.len() > NAME_MAX_BYTES {
        return Err(format!("expected a name of 1 to {NAME_MAX_BYTES} bytes"));
    }
    let text = (TEXT.read)(text)?;
    Ok(N::from(&text))
}

fn number<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let number = if digits { text.parse::<u64>().ok() } else { None };
    match number {
        Some(number) => N::try_from(number).map_err(|_| format!("{text} is too large a number")),
        None if digits => Err(format!("{text} is too large a number")),
        None => Err("expected a whole number".to_owned()),
    }
}

fn literal(value: &impl ToString) -> Shown {
    Shown::Literal(value.to_string())
}

/// With the largest unit that it is a whole number of; a few bytes, and odd sizes, as they are.
fn size(bytes: u64) -> Shown {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1_u64 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return Shown::Text(format!("{}{unit}", bytes / factor));
        }
    }
    literal(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_with_a_unit_where_it_has_one() {
        for (bytes, shown) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1KiB"),
            (131_072, "128KiB"),
            (16 << 20, "16MiB"),
            (1 << 31, "2GiB"),
        ] {
            assert_eq!(size(bytes).to_string(), shown);
            assert_eq!((BYTES.read)(shown), Ok(bytes));
        }
    }

    #[test]
    fn a_number_is_digits_within_its_type() {
        assert_eq!(number::<u16>("65535"), Ok(65535));
        for text in ["65536", "99999999999999999999", "", "-1", "+1", "1.0", "0x10", " 1"] {
            assert!(number::<u16>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_not_taken_for_bytes() {
        for share in [1.0, 0.6, 0.00001] {
            let shown = (MEMORY.show)(&MemoryLimit::Relative(share)).to_string();
            assert_eq!((MEMORY.read)(&shown), Ok(MemoryLimit::Relative(share)), "{shown}");
        }
    }
}
