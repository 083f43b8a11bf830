//! `ASOF [LEFT | INNER] JOIN r [MATCH_CONDITION (c)] ON ...` in the one form that sqlparser reads.
//!
//! ```text
//! ASOF LEFT JOIN r ON ...                        ASOF JOIN r MATCH_CONDITION ("$asof_left"()) ON ...
//! ASOF LEFT JOIN r MATCH_CONDITION (c) ON ...    ASOF JOIN r MATCH_CONDITION ("$asof_left"(c)) ON ...
//! ```

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use springtide_types::{Result, SqlError};

use super::KINDS;
use crate::dialect::POSTGRES;

/// The tokens of a statement in that form. Fails with `0A000` for joins that keep rows of the right side.
pub(crate) fn with_match_conditions(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    if !tokens.iter().any(|token| keyword(&token.token) == Keyword::ASOF) {
        return Ok(tokens);
    }
    let significant = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut tokens = significant.collect::<Vec<_>>();
    name_others(&mut tokens)?;
    let mut writer = Writer::default();
    let mut at = 0;
    while at < tokens.len() {
        match asof_join(&tokens[at..])? {
            Some((kind, length)) => {
                writer.join(kind);
                at += length;
            }
            None => {
                writer.token(tokens[at].clone());
                at += 1;
            }
        }
    }
    Ok(writer.written)
}

/// Makes names of the other ASOFs, for sqlparser too.
fn name_others(tokens: &mut [TokenWithSpan]) -> Result<()> {
    for at in 0..tokens.len() {
        let before = at.checked_sub(1).map(|before| &tokens[before].token);
        let is_join = ends_item(before) && asof_join(&tokens[at..])?.is_some();
        if let Token::Word(word) = &mut tokens[at].token
            && word.keyword == Keyword::ASOF
            && !is_join
        {
            word.keyword = Keyword::NoKeyword;
        }
    }
    Ok(())
}

/// Whether an item of FROM may end with this token, or the condition of a join.
fn ends_item(token: Option<&Token>) -> bool {
    match token {
        None | Some(Token::Comma | Token::LParen | Token::Period) => false,
        Some(token) => {
            !matches!(keyword(token), Keyword::AS | Keyword::FROM | Keyword::JOIN | Keyword::SELECT)
        }
    }
}

/// The marker of the join that begins here, unless it says neither LEFT nor INNER, and the number of its tokens.
fn asof_join(tokens: &[TokenWithSpan]) -> Result<Option<(Option<&'static str>, usize)>> {
    let words = tokens.iter().take(4).map(|token| keyword(&token.token)).collect::<Vec<_>>();
    let (inner, left) = (KINDS[0].0, KINDS[1].0);
    Ok(match words.as_slice() {
        [Keyword::ASOF, Keyword::JOIN, ..] => Some((None, 2)),
        [Keyword::ASOF, Keyword::INNER, Keyword::JOIN, ..] => Some((Some(inner), 3)),
        [Keyword::ASOF, Keyword::LEFT, Keyword::JOIN, ..] => Some((Some(left), 3)),
        [Keyword::ASOF, Keyword::LEFT, Keyword::OUTER, Keyword::JOIN] => Some((Some(left), 4)),
        [Keyword::ASOF, kind @ (Keyword::RIGHT | Keyword::FULL), Keyword::JOIN | Keyword::OUTER, ..] => {
            let hint = "Each row of the left side finds its nearest on the right: swap the sides, and write ASOF LEFT JOIN.";
            return Err(SqlError::unsupported(format!("ASOF {kind:?} JOIN")).with_hint(hint));
        }
        [Keyword::ASOF, kind @ (Keyword::SEMI | Keyword::ANTI | Keyword::CROSS), Keyword::JOIN, ..] => {
            return Err(SqlError::unsupported(format!("ASOF {kind:?} JOIN")).with_hint(super::USAGE));
        }
        _ => None,
    })
}

fn keyword(token: &Token) -> Keyword {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

#[derive(Default)]
struct Writer {
    written: Vec<TokenWithSpan>,
    /// Parentheses that are open.
    depth: usize,
    /// Joins whose condition is still to come: the depth at which they stand, and their marker.
    waiting: Vec<(usize, Option<&'static str>)>,
    /// A marker that goes behind the next parenthesis.
    marker: Option<&'static str>,
    /// The depths of the parentheses that a marker is in.
    marked: Vec<usize>,
}

impl Writer {
    fn join(&mut self, kind: Option<&'static str>) {
        self.waiting.push((self.depth, kind));
        self.push([Token::make_keyword("ASOF"), Token::make_keyword("JOIN")]);
    }

    fn token(&mut self, token: TokenWithSpan) {
        match keyword(&token.token) {
            Keyword::ON | Keyword::USING => {
                if let Some(kind) = self.kind_of_waiting() {
                    self.push([Token::make_keyword("MATCH_CONDITION"), Token::LParen]);
                    self.push(marker(kind.unwrap_or(KINDS[0].0)));
                    self.push([Token::RParen, Token::RParen]);
                }
            }
            Keyword::MATCH_CONDITION => self.marker = self.kind_of_waiting().flatten(),
            _ => {}
        }
        match token.token {
            Token::LParen => self.depth += 1,
            Token::RParen => {
                if self.marked.pop_if(|depth| *depth == self.depth).is_some() {
                    self.push([Token::RParen]);
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
        let opens = token.token == Token::LParen;
        self.written.push(token);
        if opens && let Some(kind) = self.marker.take() {
            self.marked.push(self.depth);
            self.push(marker(kind));
        }
    }

    /// The marker of the join whose condition begins here.
    fn kind_of_waiting(&mut self) -> Option<Option<&'static str>> {
        self.waiting.pop_if(|(depth, _)| *depth == self.depth).map(|(_, kind)| kind)
    }

    fn push<const N: usize>(&mut self, tokens: [Token; N]) {
        self.written.extend(tokens.map(TokenWithSpan::wrap));
    }
}

/// The beginning of a call of the marker.
fn marker(name: &str) -> [Token; 2] {
    [Token::make_word(name, Some('"')), Token::LParen]
}

/// The text of a query as users write it: undoes [`with_match_conditions`] in what sqlparser prints.
pub(crate) fn without_markers(text: &str) -> String {
    let Ok(tokens) = Tokenizer::new(POSTGRES, text).tokenize() else { return text.to_owned() };
    let mut written = tokens.iter().map(Token::to_string).collect::<Vec<_>>();
    // Where joins begin whose condition is still to come.
    let mut joins = Vec::new();
    for at in 0..tokens.len() {
        match keyword(&tokens[at]) {
            Keyword::ASOF if is_printed_join(&tokens, at) => joins.push(at),
            Keyword::MATCH_CONDITION => {
                let (Some(join), Some((keeps_left, end))) = (joins.pop(), marked(&tokens, at)) else {
                    continue;
                };
                if end == at + 5 {
                    written[at..=end + 2].fill(String::new());
                    written[join] = if keeps_left { "ASOF LEFT" } else { "ASOF" }.to_owned();
                } else {
                    [at + 3, at + 4, end].into_iter().for_each(|marker| written[marker].clear());
                    written[join] = if keeps_left { "ASOF LEFT" } else { "ASOF INNER" }.to_owned();
                }
            }
            _ => {}
        }
    }
    written.concat()
}

fn is_printed_join(tokens: &[Token], at: usize) -> bool {
    let before = tokens[..at].iter().rfind(|token| !matches!(token, Token::Whitespace(_)));
    ends_item(before) && tokens.get(at + 2).map(keyword) == Some(Keyword::JOIN)
}

/// What the marker behind a MATCH_CONDITION says, and where its last parenthesis is.
fn marked(tokens: &[Token], at: usize) -> Option<(bool, usize)> {
    let [Token::Whitespace(_), Token::LParen, Token::Word(name), Token::LParen, rest @ ..] =
        tokens.get(at + 1..)?
    else {
        return None;
    };
    let (_, keeps_left) = KINDS.into_iter().find(|(kind, _)| *kind == name.value)?;
    let mut open = 1;
    let end = rest.iter().position(|token| {
        open += i32::from(*token == Token::LParen) - i32::from(*token == Token::RParen);
        open == 0
    });
    // Another one and a blank follow.
    end.map(|end| (keeps_left, at + 5 + end)).filter(|(_, end)| end + 2 < tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> String {
        let tokens = Tokenizer::new(POSTGRES, sql).tokenize_with_location().unwrap();
        let tokens = with_match_conditions(tokens).unwrap();
        tokens.iter().map(|token| token.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_becomes_one() {
        let inner = r#"ASOF JOIN b MATCH_CONDITION ( "$asof_inner" ( ) )"#;
        let left = r#"ASOF JOIN b MATCH_CONDITION ( "$asof_left" ( ) )"#;
        assert_eq!(rewritten("a ASOF JOIN b ON x"), format!("a {inner} ON x"));
        assert_eq!(rewritten("a asof inner join b USING (x)"), format!("a {inner} USING ( x )"));
        assert_eq!(rewritten("a ASOF LEFT OUTER JOIN b ON x"), format!("a {left} ON x"));
        assert_eq!(rewritten("(a ASOF LEFT JOIN b ON x)"), format!("( a {left} ON x )"));
        let condition = r#"a ASOF JOIN b MATCH_CONDITION ( "$asof_left" ( f ( x ) ) ) ON y"#;
        assert_eq!(rewritten("a ASOF LEFT JOIN b MATCH_CONDITION (f(x)) ON y"), condition);
        // What has that form already keeps it.
        assert_eq!(rewritten(condition), condition);
        for other in ["select asof from t join u on x", "select 1 from t as asof left join asof join u on x"]
        {
            assert_eq!(rewritten(other), other);
        }
    }

    #[test]
    fn texts_are_as_written() {
        for query in [
            "SELECT asof FROM a ASOF JOIN b ON x",
            "SELECT 1 FROM a ASOF LEFT JOIN (SELECT 1 FROM asof JOIN c ON y) AS b ON x",
            "SELECT 1 FROM a ASOF LEFT JOIN (SELECT * FROM c ASOF JOIN d USING(y, z)) AS b ON x",
            "SELECT 1 FROM a ASOF INNER JOIN b MATCH_CONDITION (f(x) > b.y) ON z",
            "SELECT 1 FROM a ASOF LEFT JOIN b MATCH_CONDITION (x >= y) USING(z)",
        ] {
            let parsed = crate::parse(query).unwrap().remove(0).ast.to_string();
            assert!(parsed.contains("$asof"), "{parsed}");
            assert_eq!(without_markers(&parsed), query);
            assert_eq!(crate::parse(&parsed).unwrap().remove(0).ast.to_string(), parsed);
        }
    }

    #[test]
    fn conditions_go_to_their_own_joins() {
        let sql = "a ASOF JOIN (SELECT 1 FROM c JOIN d ON p) AS b ON q JOIN e ON r";
        let marked = r#"ON p ) AS b MATCH_CONDITION ( "$asof_inner" ( ) ) ON q JOIN e ON r"#;
        assert!(rewritten(sql).ends_with(marked), "{}", rewritten(sql));
    }
}
