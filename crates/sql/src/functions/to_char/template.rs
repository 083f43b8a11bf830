//! Templates such as `YYYY-MM-DD HH24:MI:SS`, read as PostgreSQL's formatting.c reads them.

use springtide_datetime::{DAY, HOUR, MINUTE, SECOND};

/// What a template says, in order.
#[derive(Debug, PartialEq)]
pub(super) struct Template(pub(super) Vec<Part>);

#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Stands for itself.
    Text(String),
    /// Stands for itself too; in input, a blank or a sign may stand in its place, or nothing.
    Separator(char),
    Pattern(Pattern),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pattern {
    pub field: Field,
    /// `FM`: neither zeros in front nor blanks behind.
    pub bare: bool,
    /// `TM`: a name in the language of the locale, which has no blanks behind.
    pub localized: bool,
    /// `TH` or `th`: 1st, 2nd, ...
    pub ordinal: Option<Case>,
}

/// How letters are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Case {
    Upper,
    Capitalized,
    Lower,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field {
    Meridiem {
        case: Case,
        dots: bool,
    },
    Era {
        case: Case,
        dots: bool,
    },
    Century,
    DayName(Case),
    ShortDayName(Case),
    DayOfYear,
    IsoDayOfYear,
    DayOfMonth,
    DayOfWeek,
    IsoDayOfWeek,
    /// As many digits of the second's fraction.
    Fraction(u32),
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    MonthName(Case),
    ShortMonthName(Case),
    Month,
    RomanMonth(Case),
    Quarter,
    WeekOfYear,
    IsoWeek,
    WeekOfMonth,
    /// The last digits of the year, or all with four.
    Year(u32),
    IsoYear(u32),
    YearWithComma,
    JulianDay,
    Zone(Case),
    ZoneHours,
    ZoneMinutes,
    Offset,
    /// `FX`, which matters to input only.
    Exact,
}

use Case::{Capitalized, Lower, Upper};
use Field::*;

/// In the order in which they are looked for: a pattern before those that it begins with. All exist in lower
/// case too, and what they name is then in lower case.
const PATTERNS: [(&str, Field); 54] = [
    ("A.D.", Era { case: Upper, dots: true }),
    ("A.M.", Meridiem { case: Upper, dots: true }),
    ("AD", Era { case: Upper, dots: false }),
    ("AM", Meridiem { case: Upper, dots: false }),
    ("B.C.", Era { case: Upper, dots: true }),
    ("BC", Era { case: Upper, dots: false }),
    ("CC", Century),
    ("DAY", DayName(Upper)),
    ("DDD", DayOfYear),
    ("DD", DayOfMonth),
    ("DY", ShortDayName(Upper)),
    ("D", DayOfWeek),
    ("FF1", Fraction(1)),
    ("FF2", Fraction(2)),
    ("FF3", Fraction(3)),
    ("FF4", Fraction(4)),
    ("FF5", Fraction(5)),
    ("FF6", Fraction(6)),
    ("FX", Exact),
    ("HH24", Hour24),
    ("HH12", Hour12),
    ("HH", Hour12),
    ("IDDD", IsoDayOfYear),
    ("ID", IsoDayOfWeek),
    ("IW", IsoWeek),
    ("IYYY", IsoYear(4)),
    ("IYY", IsoYear(3)),
    ("IY", IsoYear(2)),
    ("I", IsoYear(1)),
    ("J", JulianDay),
    ("MI", Minute),
    ("MM", Month),
    ("MONTH", MonthName(Upper)),
    ("MON", ShortMonthName(Upper)),
    ("MS", Fraction(3)),
    ("OF", Offset),
    ("P.M.", Meridiem { case: Upper, dots: true }),
    ("PM", Meridiem { case: Upper, dots: false }),
    ("Q", Quarter),
    ("RM", RomanMonth(Upper)),
    ("SSSSS", SecondOfDay),
    ("SSSS", SecondOfDay),
    ("SS", Second),
    ("TZH", ZoneHours),
    ("TZM", ZoneMinutes),
    ("TZ", Zone(Upper)),
    ("US", Fraction(6)),
    ("WW", WeekOfYear),
    ("W", WeekOfMonth),
    ("Y,YYY", YearWithComma),
    ("YYYY", Year(4)),
    ("YYY", Year(3)),
    ("YY", Year(2)),
    ("Y", Year(1)),
];

const CAPITALIZED: [(&str, Field); 4] = [
    ("Month", MonthName(Capitalized)),
    ("Mon", ShortMonthName(Capitalized)),
    ("Day", DayName(Capitalized)),
    ("Dy", ShortDayName(Capitalized)),
];

impl Template {
    /// Reads a template. Every text is one: what is no pattern stands for itself.
    pub(super) fn parse(text: &str) -> Template {
        let (mut parts, mut rest) = (Template(Vec::new()), text);
        while !rest.is_empty() {
            let (bare, localized, after) = match rest {
                _ if rest.starts_with("FM") || rest.starts_with("fm") => (true, false, &rest[2..]),
                _ if rest.starts_with("TM") || rest.starts_with("tm") => (false, true, &rest[2..]),
                _ => (false, false, rest),
            };
            rest = after;
            if let Some((field, length)) = pattern(rest) {
                rest = &rest[length..];
                let ordinal = ordinal(rest);
                rest = &rest[if ordinal.is_some() || spelled(rest) { 2 } else { 0 }..];
                parts.0.push(Part::Pattern(Pattern { field, bare, localized, ordinal }));
            } else if let Some(quoted) = rest.strip_prefix('"') {
                rest = parts.quoted(quoted);
            } else {
                // Outside of quotes, a backslash is special before a quote alone.
                let escaped = rest.strip_prefix('\\').filter(|rest| rest.starts_with('"'));
                rest = match rest.chars().next() {
                    Some(char) if escaped.is_none() && is_separator(char) => {
                        parts.0.push(Part::Separator(char));
                        &rest[1..]
                    }
                    _ => parts.char(escaped.unwrap_or(rest)),
                };
            }
        }
        parts
    }

    /// The shortest time, in microseconds, that makes a difference to what is written of a timestamp. It divides a day.
    pub(super) fn unit(&self) -> i64 {
        let units = self.0.iter().map(|part| match part {
            Part::Text(_) | Part::Separator(_) => DAY,
            Part::Pattern(pattern) => pattern.field.unit(),
        });
        units.min().unwrap_or(DAY)
    }

    /// Takes what stands up to the closing quote, if there is one. What follows it.
    fn quoted<'a>(&mut self, mut rest: &'a str) -> &'a str {
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('"') {
                return after;
            }
            rest = rest.strip_prefix('\\').filter(|rest| !rest.is_empty()).unwrap_or(rest);
            rest = self.char(rest);
        }
        rest
    }

    /// Takes a character that stands for itself. What follows it.
    fn char<'a>(&mut self, text: &'a str) -> &'a str {
        let mut chars = text.chars();
        if let Some(char) = chars.next() {
            match self.0.last_mut() {
                Some(Part::Text(text)) => text.push(char),
                _ => self.0.push(Part::Text(char.to_string())),
            }
        }
        chars.as_str()
    }
}

/// A blank, or a sign that is neither letter nor digit.
pub(super) fn is_separator(char: char) -> bool {
    char.is_ascii_punctuation() || char.is_ascii_whitespace()
}

/// The pattern that the text begins with, and its length.
fn pattern(text: &str) -> Option<(Field, usize)> {
    let starts_with = |name: &str, same: fn(&u8, &u8) -> bool| {
        let start = text.as_bytes().get(..name.len());
        start.is_some_and(|start| start.iter().zip(name.as_bytes()).all(|(one, other)| same(one, other)))
    };
    let upper = |(name, _): &&(&str, Field)| starts_with(name, |one, other| one == other);
    let lower =
        |(name, _): &&(&str, Field)| starts_with(name, |one, other| *one == other.to_ascii_lowercase());
    let found = CAPITALIZED.iter().find(upper).or_else(|| PATTERNS.iter().find(upper));
    match (found, PATTERNS.iter().find(lower)) {
        (Some((name, field)), _) => Some((*field, name.len())),
        (None, Some((name, field))) => Some((field.in_lower_case(), name.len())),
        (None, None) => None,
    }
}

fn ordinal(text: &str) -> Option<Case> {
    match text {
        _ if text.starts_with("TH") => Some(Upper),
        _ if text.starts_with("th") => Some(Lower),
        _ => None,
    }
}

/// `SP`, which PostgreSQL reads and does nothing about.
fn spelled(text: &str) -> bool {
    text.starts_with("SP")
}

impl Field {
    fn unit(self) -> i64 {
        match self {
            Fraction(_) => 1,
            Second | SecondOfDay => SECOND,
            Minute => MINUTE,
            Hour24 | Hour12 | Meridiem { .. } => HOUR,
            _ => DAY,
        }
    }

    fn in_lower_case(self) -> Field {
        match self {
            Meridiem { dots, .. } => Meridiem { case: Lower, dots },
            Era { dots, .. } => Era { case: Lower, dots },
            DayName(_) => DayName(Lower),
            ShortDayName(_) => ShortDayName(Lower),
            MonthName(_) => MonthName(Lower),
            ShortMonthName(_) => ShortMonthName(Lower),
            RomanMonth(_) => RomanMonth(Lower),
            Zone(_) => Zone(Lower),
            other => other,
        }
    }
}
