//! Forms with files in them, as browsers and `curl --form` send them (RFC 7578).

/// A part of a form: its name, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    pub(super) name: &'b str,
    pub(super) content: &'b [u8],
}

/// What stands between the parts of such a body; nothing if the type is another.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// A parameter of a field, with or without quotes around it.
fn parameter<'t>(text: &'t str, wanted: &str) -> Option<&'t str> {
    text.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case(wanted).then_some(value)
    })
}

/// The parts of a body; nothing if it does not end as it should.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str) -> Option<Vec<Part<'b>>> {
    let first = format!("--{boundary}");
    let delimiter = format!("\r\n{first}");
    let mut rest = body.strip_prefix(first.as_bytes()).or_else(|| {
        // What stands before the first part is nobody's.
        split(body, delimiter.as_bytes()).map(|(_, rest)| rest)
    })?;
    let mut found = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(found);
        }
        let (part, behind) = split(rest, delimiter.as_bytes())?;
        rest = behind;
        let part = part.strip_prefix(b"\r\n")?;
        let (head, content) = split(part, b"\r\n\r\n")?;
        let head = str::from_utf8(head).ok()?;
        let name = head.split("\r\n").find_map(|line| {
            let (field, value) = line.split_once(':')?;
            let is_it = field.trim().eq_ignore_ascii_case("content-disposition");
            is_it.then(|| parameter(value, "name")).flatten()
        });
        found.push(Part { name: name?, content });
    }
}

fn split<'b>(bytes: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    let (before, rest) = bytes.split_at_checked(found)?;
    Some((before, rest.get(at.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_apart() {
        assert_eq!(boundary("multipart/form-data; boundary=----x"), Some("----x"));
        assert_eq!(boundary("Multipart/Form-Data;charset=utf-8; boundary=\"a b\""), Some("a b"));
        for other in ["application/json", "multipart/form-data", "multipart/mixed; boundary=a"] {
            assert_eq!(boundary(other), None, "{other}");
        }
        let body = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.json\"\r\n\
            Content-Type: application/json\r\n\r\n{\"a\":\r\n1}\r\n--b\r\ncontent-disposition: form-data; name=redirect\
            \r\n\r\n../#/x\r\n--b--\r\n";
        let found = parts(body, "b").unwrap();
        let expected: [(&str, &[u8]); 2] = [("file", b"{\"a\":\r\n1}"), ("redirect", b"../#/x")];
        assert_eq!(found, expected.map(|(name, content)| Part { name, content }));
        for end in 0..body.len() - 4 {
            assert_eq!(parts(&body[..end], "b"), None, "cut off at {end}");
        }
    }
}
