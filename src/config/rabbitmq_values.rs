//! Values of rabbitmq.conf, as ours. What is read here is read once more as ours, so that only the difference is made.

/// Written there as here.
#[allow(clippy::unnecessary_wraps, reason = "one of several ways to read a value")]
pub(super) fn as_it_is(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.to_owned()))
}

/// A bare number is milliseconds there.
pub(super) fn milliseconds(text: &str) -> Result<Option<String>, String> {
    if text == "infinity" {
        return Err("a handshake without an end is not offered: expected milliseconds".to_owned());
    }
    whole(text, "milliseconds")?;
    Ok(Some(format!("{text}ms")))
}

/// The same; some write that there is no end of it.
pub(super) fn consumer_timeout(text: &str) -> Result<Option<String>, String> {
    match text {
        "infinity" | "undefined" | "false" => Ok(None),
        _ => milliseconds(text),
    }
}

/// A share, with a point, which tells it from a size.
pub(crate) fn share_text(share: f64) -> String {
    // Not with an exponent, however small.
    if share.fract() == 0.0 { format!("{share:.1}") } else { share.to_string() }
}

/// A share, written with a point or without one.
pub(super) fn share(text: &str) -> Result<Option<String>, String> {
    let share: f64 = text.parse().map_err(|_| "expected a share such as 0.6".to_owned())?;
    Ok(Some(share_text(share)))
}

/// `infinity` is what is not set here.
#[allow(clippy::unnecessary_wraps, reason = "one of several ways to read a value")]
pub(super) fn unless_infinity(text: &str) -> Result<Option<String>, String> {
    Ok((text != "infinity").then(|| text.to_owned()))
}

/// `none` is what is not set here.
#[allow(clippy::unnecessary_wraps, reason = "one of several ways to read a value")]
pub(super) fn unless_none(text: &str) -> Result<Option<String>, String> {
    Ok((text != "none").then(|| text.to_owned()))
}

/// Versions that nobody should speak any more say nothing.
#[allow(clippy::unnecessary_wraps, reason = "one of several ways to read a value")]
pub(super) fn tls_version(text: &str) -> Result<Option<String>, String> {
    Ok((!["tlsv1.1", "tlsv1", "sslv3"].contains(&text)).then(|| text.to_owned()))
}

/// `false` in the place of a path.
#[allow(clippy::unnecessary_wraps, reason = "one of several ways to read a value")]
pub(super) fn unless_false(text: &str) -> Result<Option<String>, String> {
    Ok((text != "false").then(|| text.to_owned()))
}

/// There are levels there that nothing here is logged at.
pub(super) fn level(text: &str) -> Result<Option<String>, String> {
    let ours = match text {
        "notice" => "warning",
        "critical" | "alert" | "emergency" => "none",
        "debug" | "info" | "warning" | "error" | "none" => text,
        _ => {
            return Err(
                "expected debug, info, notice, warning, error, critical, alert, emergency or none".to_owned()
            );
        }
    };
    Ok(Some(ours.to_owned()))
}

pub(super) fn format(text: &str) -> Result<Option<String>, String> {
    match text {
        "json" => Ok(Some("json".to_owned())),
        "plaintext" => Ok(Some("human".to_owned())),
        _ => Err("expected plaintext or json".to_owned()),
    }
}

/// An address whose port stands behind the last colon, of IPv6 with or without brackets; or a port.
#[allow(clippy::unnecessary_wraps, reason = "one of several ways to read a value")]
pub(super) fn address(text: &str) -> Result<Option<String>, String> {
    let ours = match text.rsplit_once(':') {
        Some((host, port)) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        _ => text.to_owned(),
    };
    Ok(Some(ours))
}

fn whole(text: &str, what: &str) -> Result<(), String> {
    if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(format!("expected a whole number of {what}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_ours() {
        type Read = fn(&str) -> Result<Option<String>, String>;
        let table: [(Read, &str, Option<&str>); 17] = [
            (milliseconds, "10000", Some("10000ms")),
            (share, "0.4", Some("0.4")),
            (share, "1", Some("1.0")),
            (share, "0.000001", Some("0.000001")),
            (unless_infinity, "infinity", None),
            (unless_infinity, "500", Some("500")),
            (unless_false, "false", None),
            (unless_false, "rabbit.log", Some("rabbit.log")),
            (level, "notice", Some("warning")),
            (level, "critical", Some("none")),
            (level, "debug", Some("debug")),
            (format, "plaintext", Some("human")),
            (address, "5672", Some("5672")),
            (address, "127.0.0.1:5672", Some("127.0.0.1:5672")),
            (address, ":::5672", Some("[::]:5672")),
            (address, "::1:5672", Some("[::1]:5672")),
            (address, "[::1]:5672", Some("[::1]:5672")),
        ];
        for (read, text, expected) in table {
            assert_eq!(read(text), Ok(expected.map(str::to_owned)), "{text}");
        }
        let refused: [(Read, &str); 5] = [
            (milliseconds, "10s"),
            (milliseconds, "infinity"),
            (share, "much"),
            (level, "loud"),
            (format, "xml"),
        ];
        for (read, text) in refused {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
