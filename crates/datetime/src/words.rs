//! The words that stand in dates, times and intervals.

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ignored,
    /// From 1.
    Month(i64),
    Weekday,
    /// `dst` after the name of a zone.
    Daylight,
    Afternoon(bool),
    BeforeChrist(bool),
    /// `t` before a time.
    TimeFollows,
    /// `j` before a number of days.
    JulianFollows,
    /// A unit that no date has.
    OtherFollows,
    Special(Special),
}

/// Words for moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    Now,
    Yesterday,
    Today,
    Tomorrow,
    /// `allballs`: midnight UTC.
    Zulu,
    Epoch,
    Late,
    Early,
}

/// As many characters of a word count.
const SIGNIFICANT: usize = 10;

pub(crate) fn cut(word: &str) -> &str {
    word.get(..SIGNIFICANT).unwrap_or(word)
}

/// What a word in lower case says in a date.
pub(crate) fn date_word(word: &str) -> Option<Word> {
    use self::Special as Of;
    use Word::{
        Afternoon, BeforeChrist, Daylight, Ignored, JulianFollows, Month, OtherFollows, TimeFollows, Weekday,
    };
    Some(match cut(word) {
        "+infinity" | "infinity" => Word::Special(Of::Late),
        "-infinity" => Word::Special(Of::Early),
        "epoch" => Word::Special(Of::Epoch),
        "now" => Word::Special(Of::Now),
        "today" => Word::Special(Of::Today),
        "tomorrow" => Word::Special(Of::Tomorrow),
        "yesterday" => Word::Special(Of::Yesterday),
        "allballs" => Word::Special(Of::Zulu),
        "ad" => BeforeChrist(false),
        "bc" => BeforeChrist(true),
        "am" => Afternoon(false),
        "pm" => Afternoon(true),
        "at" | "on" => Ignored,
        "dst" => Daylight,
        "t" => TimeFollows,
        "j" | "jd" | "julian" => JulianFollows,
        "d" | "dow" | "doy" | "h" | "isodow" | "isoyear" | "m" | "mm" | "s" | "y" => OtherFollows,
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday"
        | "thu" | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => Weekday,
        "jan" | "january" => Month(1),
        "feb" | "february" => Month(2),
        "mar" | "march" => Month(3),
        "apr" | "april" => Month(4),
        "may" => Month(5),
        "jun" | "june" => Month(6),
        "jul" | "july" => Month(7),
        "aug" | "august" => Month(8),
        "sep" | "sept" | "september" => Month(9),
        "oct" | "october" => Month(10),
        "nov" | "november" => Month(11),
        "dec" | "december" => Month(12),
        _ => return None,
    })
}

/// A unit of length, or of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// 10⁻⁶ s
    Microsecond,
    /// 10⁻³ s
    Millisecond,
    /// 1 s
    Second,
    /// 60 s
    Minute,
    /// 3600 s
    Hour,
    /// A day
    Day,
    /// 7 days
    Week,
    /// A month
    Month,
    /// 3 months
    Quarter,
    /// 12 months
    Year,
    /// 10 years
    Decade,
    /// 100 years
    Century,
    /// 1000 years
    Millennium,
}

impl Unit {
    /// By a name in lower case.
    pub fn named(name: &str) -> Option<Unit> {
        Some(match cut(name) {
            "us" | "usec" | "usecs" | "useconds" | "microsecon" => Unit::Microsecond,
            "ms" | "msec" | "msecs" | "mseconds" | "millisecon" => Unit::Millisecond,
            "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
            "d" | "day" | "days" => Unit::Day,
            "w" | "week" | "weeks" => Unit::Week,
            "mon" | "mons" | "month" | "months" => Unit::Month,
            "qtr" | "quarter" => Unit::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
            "dec" | "decs" | "decade" | "decades" => Unit::Decade,
            "c" | "cent" | "century" | "centuries" => Unit::Century,
            "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
            _ => return None,
        })
    }
}
