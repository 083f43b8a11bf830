/// What counts as space in the text of an array.
const SPACES: [char; 6] = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];

/// How PostgreSQL writes an array of these elements: `{a,"b c",NULL}`.
pub fn array_text<'a>(elements: impl Iterator<Item = Option<&'a str>>) -> String {
    let mut text = "{".to_owned();
    for (position, element) in elements.enumerate() {
        if position > 0 {
            text.push(',');
        }
        match element {
            None => text.push_str("NULL"),
            Some(element) if needs_quotes(element) => {
                text.push('"');
                for letter in element.chars() {
                    if matches!(letter, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(letter);
                }
                text.push('"');
            }
            Some(element) => text.push_str(element),
        }
    }
    text.push('}');
    text
}

fn needs_quotes(element: &str) -> bool {
    let special = |letter: char| "{},\"\\".contains(letter) || SPACES.contains(&letter);
    element.is_empty() || element.contains(special) || element.eq_ignore_ascii_case("null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_elements() {
        let text = |elements: &[Option<&str>]| array_text(elements.iter().copied());
        assert_eq!(text(&[]), "{}");
        assert_eq!(text(&[Some("a"), None, Some("NULL"), Some("")]), r#"{a,NULL,"NULL",""}"#);
        assert_eq!(
            text(&[Some("a b"), Some("\""), Some("\\"), Some("{}"), Some("x,y")]),
            r#"{"a b","\"","\\","{}","x,y"}"#
        );
    }
}
