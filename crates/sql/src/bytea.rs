//! The text forms of `bytea`, and the encodings of `encode` and `decode`.

use springtide_types::{Result, SqlError, SqlState, bytea_text};

/// Reads `\x` and hexadecimal digits, or else text in which `\\` is a backslash and `\ooo` a byte in octal.
pub(crate) fn parse_bytea(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => parse_hex(digits),
        None => parse_escape(text),
    }
}

/// How `encode` and `decode` write bytes as text.
#[derive(Clone, Copy)]
pub(crate) enum Encoding {
    Hex,
    Escape,
    Base64,
}

impl Encoding {
    pub(crate) fn from_name(name: &str) -> Result<Encoding> {
        match name.to_lowercase().as_str() {
            "hex" => Ok(Encoding::Hex),
            "escape" => Ok(Encoding::Escape),
            "base64" => Ok(Encoding::Base64),
            _ => Err(invalid(format!("unrecognized encoding: \"{name}\""))),
        }
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => bytea_text(bytes).split_off(2),
            Encoding::Escape => write_escape(bytes),
            Encoding::Base64 => write_base64(bytes),
        }
    }

    pub(crate) fn decode(self, text: &str) -> Result<Vec<u8>> {
        match self {
            Encoding::Hex => parse_hex(text),
            Encoding::Escape => parse_escape(text),
            Encoding::Base64 => parse_base64(text),
        }
    }
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn is_space(character: &char) -> bool {
    matches!(character, ' ' | '\n' | '\t' | '\r')
}

/// Pairs of digits; there may be space between the pairs.
fn parse_hex(text: &str) -> Result<Vec<u8>> {
    let digit = |character: char| {
        character
            .to_digit(16)
            .map(|digit| digit as u8)
            .ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{character}\"")))
    };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut characters = text.chars();
    while let Some(high) = characters.by_ref().find(|character| !is_space(character)) {
        let high = digit(high)?;
        let low =
            characters.next().ok_or_else(|| invalid("invalid hexadecimal data: odd number of digits"))?;
        bytes.push(high << 4 | digit(low)?);
    }
    Ok(bytes)
}

fn parse_escape(text: &str) -> Result<Vec<u8>> {
    let octal = |digits: &[u8; 3]| match digits {
        [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7'] => {
            Some(digits.iter().fold(0, |value, digit| value << 3 | (digit - b'0')))
        }
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', after) => after
                .split_first_chunk()
                .and_then(|(digits, after)| Some((octal(digits)?, after)))
                .ok_or_else(|| {
                    let message = "invalid input syntax for type bytea";
                    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
                })?,
            (first, after) => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

fn write_escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0 | 128.. => text.push_str(&format!("\\{byte:03o}")),
            ascii => text.push(char::from(*ascii)),
        }
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// In lines of 76 characters, as RFC 2045 has them.
fn write_base64(bytes: &[u8]) -> String {
    const BYTES_PER_LINE: usize = 76 / 4 * 3;
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for (line, bytes) in bytes.chunks(BYTES_PER_LINE).enumerate() {
        if line > 0 {
            text.push('\n');
        }
        for group in bytes.chunks(3) {
            let bits =
                group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for position in 0..4 {
                let digit = BASE64[(bits >> (18 - 6 * position) & 63) as usize];
                text.push(if position <= group.len() { char::from(digit) } else { '=' });
            }
        }
    }
    text
}

fn parse_base64(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    // The digits of the group at hand, and how many bytes it stands for.
    let (mut bits, mut digits, mut stands_for) = (0_u32, 0, 3);
    for character in text.chars().filter(|character| !is_space(character)) {
        let digit = match BASE64.iter().position(|digit| char::from(*digit) == character) {
            Some(digit) => digit as u32,
            None if character == '=' && stands_for < 3 => 0,
            None if character == '=' && digits >= 2 => {
                stands_for = digits - 1;
                0
            }
            None if character == '=' => {
                return Err(invalid("unexpected \"=\" while decoding base64 sequence"));
            }
            None => {
                let message = format!("invalid symbol \"{character}\" found while decoding base64 sequence");
                return Err(invalid(message));
            }
        };
        bits = bits << 6 | digit;
        digits += 1;
        if digits == 4 {
            bytes.extend_from_slice(&bits.to_be_bytes()[1..=stands_for]);
            (bits, digits) = (0, 0);
        }
    }
    match digits {
        0 => Ok(bytes),
        _ => Err(invalid("invalid base64 end sequence")
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        let check = |text: &str, bytes: &[u8]| assert_eq!(parse_bytea(text).unwrap(), bytes, "{text}");
        check("", b"");
        check("\\x", b"");
        check("\\xDE ad\nBE eF", b"\xde\xad\xbe\xef");
        check("a\\\\b\\000\\377é", b"a\\b\x00\xff\xc3\xa9");
        check(" \\134x41", b" \\x41");
    }

    #[test]
    fn refuses_as_postgres() {
        let check = |text: &str, code: &str, message: &str| {
            let error = parse_bytea(text).unwrap_err();
            assert_eq!((error.sqlstate.code(), error.message.as_str()), (code, message), "{text}");
        };
        check("\\xGA", "22023", "invalid hexadecimal digit: \"G\"");
        check("\\xé1", "22023", "invalid hexadecimal digit: \"é\"");
        check("\\xA", "22023", "invalid hexadecimal data: odd number of digits");
        check("\\xde a d", "22023", "invalid hexadecimal digit: \" \"");
        for text in ["a\\", "\\400", "\\X41", " \\x41", "\\12"] {
            check(text, "22P02", "invalid input syntax for type bytea");
        }
    }

    #[test]
    fn base64_as_postgres() {
        for (bytes, text) in [(&b""[..], ""), (b"\x00", "AA=="), (b"\xff\xfe", "//4="), (b"abc", "YWJj")] {
            assert_eq!(write_base64(bytes), text);
            assert_eq!(parse_base64(text).unwrap(), bytes);
        }
        let long = write_base64(&[0xab; 100]);
        assert_eq!(long.find('\n'), Some(76));
        assert_eq!(parse_base64(&long).unwrap(), [0xab; 100]);
        let message = |text: &str| parse_base64(text).unwrap_err().message;
        assert_eq!(message("QUI"), "invalid base64 end sequence");
        assert_eq!(message("Q=="), "unexpected \"=\" while decoding base64 sequence");
        assert_eq!(message("QU!="), "invalid symbol \"!\" found while decoding base64 sequence");
    }
}
