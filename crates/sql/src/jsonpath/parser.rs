//! The grammar of paths.

use bigdecimal::num_traits::ToPrimitive;
use springtide_types::{Result, SqlError, SqlState};

use super::ast::{Arithmetic, Comparison, Expr, Head, JsonPath, LAST, Method, Predicate, Step};
use super::lexer::{Token, syntax, tokens};
use super::pattern::compile;

/// How deep expressions may be inside each other.
const MOST_NESTED: usize = 500;

impl JsonPath {
    /// The path of a text.
    pub(crate) fn parse(text: &str) -> Result<JsonPath> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            let message = format!("invalid input syntax for type jsonpath: \"{text}\"");
            return Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
        }
        let mut parser = Parser { tokens, at: 0, nested: 0, filters: 0, subscripts: 0 };
        let lax = if parser.eat_word("strict") {
            false
        } else {
            parser.eat_word("lax");
            true
        };
        let root = parser.disjunction()?.into_expr();
        match parser.peek() {
            None => Ok(JsonPath { lax, root }),
            Some(_) => Err(parser.unexpected()),
        }
    }
}

/// What was read: a value, or a condition.
enum Part {
    Value(Expr),
    Condition(Predicate),
}

impl Part {
    fn into_expr(self) -> Expr {
        match self {
            Part::Value(expr) => expr,
            Part::Condition(predicate) => head(Head::Predicate(Box::new(predicate))),
        }
    }
}

fn head(head: Head) -> Expr {
    Expr { head, steps: Vec::new() }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nested: usize,
    /// How many filters are around: `@` needs one.
    filters: usize,
    /// How many subscripts are around: `last` needs one.
    subscripts: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn unexpected(&self) -> SqlError {
        let token = match self.peek() {
            None => return syntax("syntax error at end of jsonpath input"),
            Some(Token::Name(text) | Token::Text(text) | Token::Variable(text)) => text.clone(),
            Some(Token::Integer(number) | Token::Number(number)) => number.to_string(),
            Some(Token::Symbol(symbol)) => (*symbol).to_owned(),
        };
        syntax(format!("syntax error at or near \"{token}\" of jsonpath input"))
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn is_word_at(&self, at: usize, word: &str) -> bool {
        let exact = matches!(word, "null" | "true" | "false");
        match self.tokens.get(at) {
            Some(Token::Name(name)) if exact => name == word,
            Some(Token::Name(name)) => name.eq_ignore_ascii_case(word),
            _ => false,
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word_at(self.at, word);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn condition(&mut self, part: Part) -> Result<Predicate> {
        match part {
            Part::Condition(predicate) => Ok(predicate),
            Part::Value(_) => Err(self.unexpected()),
        }
    }

    fn value(&mut self, part: Part) -> Result<Expr> {
        match part {
            Part::Value(expr) => Ok(expr),
            Part::Condition(_) => Err(self.unexpected()),
        }
    }

    fn disjunction(&mut self) -> Result<Part> {
        self.nested += 1;
        if self.nested > MOST_NESTED {
            return Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "the jsonpath is nested too deeply"));
        }
        let mut left = self.conjunction()?;
        while self.eat("||") {
            let first = self.condition(left)?;
            let right = self.conjunction()?;
            left = Part::Condition(Predicate::Or(Box::new(first), Box::new(self.condition(right)?)));
        }
        self.nested -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Part> {
        let mut left = self.comparison()?;
        while self.eat("&&") {
            let first = self.condition(left)?;
            let right = self.comparison()?;
            left = Part::Condition(Predicate::And(Box::new(first), Box::new(self.condition(right)?)));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Part> {
        if self.eat("!") {
            let inner = if self.is_word_at(self.at, "exists") {
                self.exists()?
            } else {
                self.expect("(")?;
                let inner = self.disjunction()?;
                self.expect(")")?;
                self.condition(inner)?
            };
            return Ok(Part::Condition(Predicate::Not(Box::new(inner))));
        }
        if self.is_word_at(self.at, "exists") {
            return self.exists().map(Part::Condition);
        }
        let left = self.sum()?;
        if self.eat_word("starts") {
            self.expect_word("with")?;
            let prefix = match self.next() {
                Some(Token::Text(text)) => Head::Text(text),
                Some(Token::Variable(name)) => Head::Variable(name),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected());
                }
            };
            let value = self.value(left)?;
            return Ok(Part::Condition(Predicate::StartsWith(value, head(prefix))));
        }
        if self.eat_word("like_regex") {
            let value = self.value(left)?;
            let pattern = self.text()?;
            let flags = if self.eat_word("flag") { self.text()? } else { String::new() };
            return Ok(Part::Condition(Predicate::LikeRegex(value, compile(pattern, &flags)?)));
        }
        let Some(op) = self.comparison_operator() else { return Ok(left) };
        let left = self.value(left)?;
        let right = self.sum()?;
        Ok(Part::Condition(Predicate::Compare(op, left, self.value(right)?)))
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        let Some(Token::Symbol(symbol)) = self.peek() else { return None };
        let op = match *symbol {
            "==" | "=" => Comparison::Equal,
            "!=" | "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(op)
    }

    fn text(&mut self) -> Result<String> {
        match self.peek().cloned() {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn exists(&mut self) -> Result<Predicate> {
        self.expect_word("exists")?;
        self.expect("(")?;
        let inner = self.disjunction()?;
        self.expect(")")?;
        self.value(inner).map(Predicate::Exists)
    }

    fn sum(&mut self) -> Result<Part> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek() {
                Some(Token::Symbol("+")) => Arithmetic::Add,
                Some(Token::Symbol("-")) => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = self.operation(op, left, right)?;
        }
    }

    fn product(&mut self) -> Result<Part> {
        let mut left = self.signed()?;
        loop {
            let op = match self.peek() {
                Some(Token::Symbol("*")) => Arithmetic::Multiply,
                Some(Token::Symbol("/")) => Arithmetic::Divide,
                Some(Token::Symbol("%")) => Arithmetic::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.signed()?;
            left = self.operation(op, left, right)?;
        }
    }

    fn operation(&mut self, op: Arithmetic, left: Part, right: Part) -> Result<Part> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        Ok(Part::Value(head(Head::Binary(op, Box::new(left), Box::new(right)))))
    }

    fn signed(&mut self) -> Result<Part> {
        let negative = match self.peek() {
            Some(Token::Symbol("-")) => true,
            Some(Token::Symbol("+")) => false,
            _ => return self.accessed(),
        };
        self.at += 1;
        let operand = self.signed()?;
        let operand = self.value(operand)?;
        Ok(Part::Value(match (&operand.head, negative) {
            (Head::Number(_), false) if operand.steps.is_empty() => operand,
            (Head::Number(number), true) if operand.steps.is_empty() => head(Head::Number(-number)),
            (_, true) => head(Head::Minus(Box::new(operand))),
            (_, false) => head(Head::Plus(Box::new(operand))),
        }))
    }

    fn accessed(&mut self) -> Result<Part> {
        if self.eat("(") {
            let inner = self.disjunction()?;
            self.expect(")")?;
            if self.is_word_at(self.at, "is") && self.is_word_at(self.at + 1, "unknown") {
                self.at += 2;
                let inner = self.condition(inner)?;
                return Ok(Part::Condition(Predicate::IsUnknown(Box::new(inner))));
            }
            if !self.begins_step() {
                return Ok(inner);
            }
            return self.with_steps(inner.into_expr()).map(Part::Value);
        }
        let primary = self.primary()?;
        self.with_steps(head(primary)).map(Part::Value)
    }

    fn primary(&mut self) -> Result<Head> {
        let found = match self.peek() {
            Some(Token::Symbol("$")) => Head::Root,
            Some(Token::Symbol("@")) if self.filters > 0 => Head::Current,
            Some(Token::Symbol("@")) => return Err(syntax("@ is not allowed in root expressions")),
            Some(Token::Variable(name)) => Head::Variable(name.clone()),
            Some(Token::Text(text)) => Head::Text(text.clone()),
            Some(Token::Integer(number) | Token::Number(number)) => Head::Number(number.clone()),
            Some(Token::Name(_)) => {
                if self.is_word_at(self.at, "null") {
                    Head::Null
                } else if self.is_word_at(self.at, "true") {
                    Head::Bool(true)
                } else if self.is_word_at(self.at, "false") {
                    Head::Bool(false)
                } else if !self.is_word_at(self.at, "last") {
                    return Err(self.unexpected());
                } else if self.subscripts == 0 {
                    return Err(syntax("LAST is allowed only in array subscripts"));
                } else {
                    Head::Last
                }
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(found)
    }

    fn begins_step(&self) -> bool {
        matches!(self.peek(), Some(Token::Symbol("." | "[" | "?")))
    }

    fn with_steps(&mut self, mut expr: Expr) -> Result<Expr> {
        while self.begins_step() {
            let step = match self.next() {
                Some(Token::Symbol("[")) => self.subscript()?,
                Some(Token::Symbol("?")) => self.filter()?,
                _ => self.member()?,
            };
            expr.steps.push(step);
        }
        Ok(expr)
    }

    fn filter(&mut self) -> Result<Step> {
        self.expect("(")?;
        self.filters += 1;
        let inner = self.disjunction()?;
        self.filters -= 1;
        let inner = self.condition(inner)?;
        self.expect(")")?;
        Ok(Step::Filter(inner))
    }

    fn subscript(&mut self) -> Result<Step> {
        if self.eat("*") {
            self.expect("]")?;
            return Ok(Step::AnyElement);
        }
        self.subscripts += 1;
        let mut ranges = Vec::new();
        loop {
            let first = self.sum()?;
            let first = self.value(first)?;
            let last = if self.eat_word("to") {
                let last = self.sum()?;
                Some(self.value(last)?)
            } else {
                None
            };
            ranges.push((first, last));
            if !self.eat(",") {
                break;
            }
        }
        self.subscripts -= 1;
        self.expect("]")?;
        Ok(Step::Elements(ranges))
    }

    /// What comes after a point.
    fn member(&mut self) -> Result<Step> {
        if self.eat("*") {
            return Ok(Step::AnyKey);
        }
        if self.eat("**") {
            return self.levels();
        }
        match self.peek().cloned() {
            Some(Token::Text(key)) => {
                self.at += 1;
                Ok(Step::Key(key))
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                if !self.eat("(") {
                    return Ok(Step::Key(name));
                }
                let method = self.method(&name.to_ascii_lowercase())?;
                self.expect(")")?;
                Ok(Step::Method(method))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn levels(&mut self) -> Result<Step> {
        if !self.eat("{") {
            return Ok(Step::Anywhere(0, LAST));
        }
        let first = self.level()?;
        let last = if self.eat_word("to") { self.level()? } else { first };
        self.expect("}")?;
        Ok(Step::Anywhere(first, last))
    }

    fn level(&mut self) -> Result<u32> {
        if self.eat_word("last") {
            return Ok(LAST);
        }
        let level = self.unsigned().ok_or_else(|| self.unexpected())?;
        i32::try_from(level).ok().and_then(|level| u32::try_from(level).ok()).ok_or_else(|| {
            let message = format!("value \"{level}\" is out of range for type integer");
            SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
        })
    }

    /// An integer without a sign, if there is one; the greatest one for all that are greater.
    fn unsigned(&mut self) -> Option<i64> {
        let Some(Token::Integer(number)) = self.peek() else { return None };
        let value = number.to_i64().unwrap_or(i64::MAX);
        self.at += 1;
        Some(value)
    }

    fn integer(&mut self) -> Result<i64> {
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let value = self.unsigned().ok_or_else(|| self.unexpected())?;
        Ok(if negative { -value } else { value })
    }

    fn method(&mut self, name: &str) -> Result<Method> {
        Ok(match name {
            "type" => Method::Type,
            "size" => Method::Size,
            "abs" => Method::Abs,
            "floor" => Method::Floor,
            "ceiling" => Method::Ceiling,
            "double" => Method::Double,
            "keyvalue" => Method::KeyValue,
            "bigint" => Method::Bigint,
            "boolean" => Method::Boolean,
            "integer" => Method::Integer,
            "number" => Method::Number,
            "string" => Method::Text,
            "date" => Method::Date,
            "decimal" if self.is(")") => Method::Decimal(None),
            "decimal" => {
                let precision = self.integer()?;
                let scale = if self.eat(",") { Some(self.integer()?) } else { None };
                Method::Decimal(Some((precision, scale)))
            }
            "datetime" if self.is(")") => Method::Datetime(None),
            "datetime" => Method::Datetime(Some(self.text()?)),
            "time" => Method::Time(self.unsigned()),
            "time_tz" => Method::TimeTz(self.unsigned()),
            "timestamp" => Method::Timestamp(self.unsigned()),
            "timestamp_tz" => Method::TimestampTz(self.unsigned()),
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        })
    }
}
