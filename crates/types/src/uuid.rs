use std::fmt::Write;

/// How PostgreSQL writes a `uuid`: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
pub fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").expect("writing to a String");
    }
    text
}

/// The `uuid` of a text, `None` if it is that of none: digits of either case, a hyphen after any group of four, braces around all.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut bytes = [0; 16];
    let mut rest = text;
    for (position, byte) in bytes.iter_mut().enumerate() {
        if position > 0 && position % 2 == 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let (digits, after) = rest.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
        rest = after;
    }
    rest.is_empty().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_as_postgres() {
        let text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for same in [
            text,
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
        ] {
            assert_eq!(parse_uuid(same).map(|bytes| uuid_text(&bytes)).as_deref(), Some(text), "{same}");
        }
        for wrong in [
            "",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a1",
            "a0eebc999c0b4ef8bb6d6bb9bd380a112",
            "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "g0eebc999c0b4ef8bb6d6bb9bd380a11",
            "+0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a1",
        ] {
            assert_eq!(parse_uuid(wrong), None, "{wrong}");
        }
    }
}
