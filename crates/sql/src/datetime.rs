//! PostgreSQL's text forms of dates and timestamps (ISO style, UTC).

use std::fmt::Write;

use springtide_types::{Result, SqlError, SqlState, SqlType};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Days since 1970-01-01.
pub(crate) fn parse_date(text: &str) -> Result<i32> {
    let moment = parse(text, SqlType::Date)?;
    i32::try_from(moment.days).map_err(|_| out_of_range(text))
}

/// Microseconds since 1970; an offset in the text is ignored.
pub(crate) fn parse_timestamp(text: &str) -> Result<i64> {
    parse(text, SqlType::Timestamp)?.micros(0).ok_or_else(|| out_of_range(text))
}

/// Microseconds since 1970 UTC; without an offset the text is in UTC.
pub(crate) fn parse_timestamptz(text: &str) -> Result<i64> {
    let moment = parse(text, SqlType::Timestamptz)?;
    moment.micros(moment.offset).ok_or_else(|| out_of_range(text))
}

/// Microseconds since midnight; of a timestamp, its time of day. An offset in the text is ignored.
pub(crate) fn parse_time_of_day(text: &str) -> Result<i64> {
    let syntax = || syntax(text, SqlType::Time);
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    if trimmed[digits..].starts_with(['-', '/']) {
        return Ok(parse(text, SqlType::Time)?.time);
    }
    if trimmed.eq_ignore_ascii_case("allballs") {
        return Ok(0);
    }
    let (time, half) = split_half(trimmed);
    let time = match (digits, time.split_at_checked(4)) {
        // 0405, 040506 and 040506.789
        (4, Some((time, ""))) => format!("{}:{}", &time[..2], &time[2..]),
        (6, Some((time, seconds))) => format!("{}:{}:{seconds}", &time[..2], &time[2..]),
        _ => time.to_owned(),
    };
    let fields = Fields::parse(&time).ok_or_else(syntax)?;
    if fields.before_christ.is_some() {
        return Err(syntax());
    }
    let time = fields.time.ok_or_else(syntax)?.ok_or_else(|| out_of_range(text))?;
    match half {
        None => Ok(time),
        Some(_) if !(HOUR..13 * HOUR).contains(&time) => Err(out_of_range(text)),
        Some(Half::Morning) => Ok(time % (12 * HOUR)),
        Some(Half::Afternoon) => Ok(time % (12 * HOUR) + 12 * HOUR),
    }
}

/// The halves of a day whose hours run from 12 over 1 to 11.
#[derive(Clone, Copy)]
enum Half {
    Morning,
    Afternoon,
}

/// A time of day without its AM or PM.
fn split_half(text: &str) -> (&str, Option<Half>) {
    let Some((time, last)) = text.len().checked_sub(2).and_then(|end| text.split_at_checked(end)) else {
        return (text, None);
    };
    match last.to_ascii_lowercase().as_str() {
        "am" => (time.trim_end(), Some(Half::Morning)),
        "pm" => (time.trim_end(), Some(Half::Afternoon)),
        _ => (text, None),
    }
}

fn syntax(text: &str, sql_type: SqlType) -> SqlError {
    let name = match sql_type {
        SqlType::Timestamp => "timestamp".to_owned(),
        SqlType::Time => "time".to_owned(),
        other => other.to_string(),
    };
    let message = format!("invalid input syntax for type {name}: \"{text}\"");
    SqlError::new(SqlState::INVALID_DATETIME_FORMAT, message)
}

struct Moment {
    days: i64,
    time: i64,
    /// East of UTC.
    offset: i64,
}

impl Moment {
    fn micros(&self, offset: i64) -> Option<i64> {
        self.days.checked_mul(DAY)?.checked_add(self.time)?.checked_sub(offset)
    }
}

fn out_of_range(text: &str) -> SqlError {
    let message = format!("date/time field value out of range: \"{text}\"");
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

fn parse(text: &str, sql_type: SqlType) -> Result<Moment> {
    let syntax = || syntax(text, sql_type);
    let trimmed = text.trim();
    if trimmed.eq_ignore_ascii_case("epoch") {
        return Ok(Moment { days: 0, time: 0, offset: 0 });
    }
    let end =
        trimmed.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '/'))).unwrap_or(trimmed.len());
    let (date, rest) = trimmed.split_at(end);
    let (year, month, day) = split_date(date).ok_or_else(syntax)?;
    let fields = Fields::parse(rest).ok_or_else(syntax)?;
    if year == 0 {
        return Err(out_of_range(text));
    }
    // The year before 1 AD is 1 BC.
    let year = if fields.before_christ.unwrap_or(false) { 1 - year } else { year };
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return Err(out_of_range(text));
    }
    let time = fields.time.unwrap_or(Some(0)).ok_or_else(|| out_of_range(text))?;
    let days = days_from_civil(year, month, day);
    if days < FIRST_DAY {
        let name = if sql_type == SqlType::Date { "date" } else { "timestamp" };
        let message = format!("{name} out of range: \"{text}\"");
        return Err(SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    Ok(Moment { days, time, offset: fields.offset.unwrap_or(0) })
}

/// 4714-11-24 BC, where Julian days begin.
pub(crate) const FIRST_DAY: i64 = -2_440_588;

/// What may follow a date, in any order, each once.
#[derive(Default)]
struct Fields {
    /// The time of day; within, `None` if it is out of range.
    time: Option<Option<i64>>,
    /// East of UTC.
    offset: Option<i64>,
    before_christ: Option<bool>,
}

impl Fields {
    /// Reads ` 12:34:56.7 +08:00 BC`, or `T12:34:56Z`.
    fn parse(text: &str) -> Option<Fields> {
        let mut fields = Fields::default();
        let mut rest = text.strip_prefix(['T', 't']).unwrap_or(text).trim_start();
        while let Some(first) = rest.chars().next() {
            let in_word: fn(char) -> bool = match first {
                '0'..='9' => |c| c.is_ascii_digit() || matches!(c, ':' | '.'),
                '+' | '-' => |c| c.is_ascii_digit() || c == ':',
                _ => char::is_alphabetic,
            };
            let length = first.len_utf8();
            let end = rest[length..].find(|c| !in_word(c)).map_or(rest.len(), |end| length + end);
            fields.add(&rest[..end])?;
            rest = rest[end..].trim_start();
        }
        Some(fields)
    }

    fn add(&mut self, word: &str) -> Option<()> {
        let is_new = if word.starts_with(|c: char| c.is_ascii_digit()) {
            self.time.replace(parse_time(word)?).is_none()
        } else if word.eq_ignore_ascii_case("AD") || word.eq_ignore_ascii_case("BC") {
            self.before_christ.replace(word.eq_ignore_ascii_case("BC")).is_none()
        } else {
            self.offset.replace(parse_offset(word)?).is_none()
        };
        is_new.then_some(())
    }
}

/// `2024-02-29` or `20240229`.
fn split_date(date: &str) -> Option<(i64, i64, i64)> {
    let digits = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    if let Some((year, rest)) = date.split_once(['-', '/']) {
        let (month, day) = rest.split_once(['-', '/'])?;
        return Some((digits(year).filter(|_| year.len() >= 4)?, digits(month)?, digits(day)?));
    }
    let compact = date.len() == 8 && date.is_ascii();
    compact.then(|| Some((digits(&date[..4])?, digits(&date[4..6])?, digits(&date[6..])?)))?
}

/// `12:34[:56[.789]]`: the time of day, `None` within if a field is out of range.
fn parse_time(text: &str) -> Option<Option<i64>> {
    let mut fields = text.split(':');
    let (hour, minute) = (fields.next()?.parse::<i64>().ok()?, fields.next()?.parse::<i64>().ok()?);
    let seconds = fields.next().map_or(Some(0), parse_seconds)?;
    if fields.next().is_some() {
        return None;
    }
    let time = hour * HOUR + minute * MINUTE + seconds;
    let valid = hour <= 24 && minute < 60 && seconds <= MINUTE && time <= DAY;
    Some(valid.then_some(time))
}

/// Seconds with a fraction, as microseconds; further digits are rounded.
pub(crate) fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
    let mut micros = 0;
    for position in 0..6 {
        micros = micros * 10 + i64::from(fraction.as_bytes().get(position).map_or(0, |digit| digit - b'0'));
    }
    let round_up = fraction.as_bytes().get(6).is_some_and(|digit| *digit >= b'5');
    whole.checked_mul(SECOND)?.checked_add(micros + i64::from(round_up))
}

/// `Z`, `UTC`, `GMT`, `+02`, `-02:30`, `+0230`.
fn parse_offset(text: &str) -> Option<i64> {
    if ["z", "utc", "gmt"].iter().any(|zone| text.eq_ignore_ascii_case(zone)) {
        return Some(0);
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = &text[1..];
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    ((0..=15).contains(&hours) && (0..60).contains(&minutes))
        .then(|| sign * (hours * HOUR + minutes * MINUTE))
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `2024-02-29`
pub(crate) fn format_date(days: i32) -> String {
    let (year, month, day) = civil_from_days(i64::from(days));
    if year <= 0 {
        return format!("{:04}-{month:02}-{day:02} BC", 1 - year);
    }
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2024-02-29 12:34:56.789`; `zone` follows the time of day.
pub(crate) fn format_timestamp(micros: i64, zone: &str) -> String {
    let date = format_date(micros.div_euclid(DAY) as i32);
    let (date, era) = match date.strip_suffix(" BC") {
        Some(date) => (date, " BC"),
        None => (date.as_str(), ""),
    };
    let mut text = date.to_owned();
    write!(text, " {}", format_time(micros.rem_euclid(DAY))).expect("writing to a String");
    text.push_str(zone);
    text.push_str(era);
    text
}

/// `12:34:56.789`
pub(crate) fn format_time(micros: i64) -> String {
    format!("{:02}:{:02}:{}", micros / HOUR, micros / MINUTE % 60, format_seconds(micros % MINUTE))
}

/// `56.789`: two digits, and a fraction if there is one.
pub(crate) fn format_seconds(micros: i64) -> String {
    let text = format!("{:02}.{:06}", micros / SECOND, micros % SECOND);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip() {
        for text in ["1970-01-01", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"] {
            assert_eq!(format_date(parse_date(text).unwrap()), text);
        }
        assert_eq!(parse_date("20240229").unwrap(), parse_date("2024-02-29 23:59").unwrap());
    }

    #[test]
    fn timestamps_round_trip() {
        for text in [
            "0044-03-15 12:00:00 BC",
            "1970-01-01 00:00:00",
            "2024-02-29 12:34:56.789",
            "1969-12-31 23:59:59.999999",
        ] {
            assert_eq!(format_timestamp(parse_timestamp(text).unwrap(), ""), text);
        }
        let utc = parse_timestamptz("2024-01-01T00:00:00Z").unwrap();
        assert_eq!(parse_timestamptz("2024-01-01 02:30:00+02:30").unwrap(), utc);
        assert_eq!(parse_timestamptz("2023-12-31 21:00-03").unwrap(), utc);
        assert_eq!(parse_timestamp("2024-01-01 00:00:00+05").unwrap(), utc);
    }

    #[test]
    fn eras_and_offsets_come_in_any_order() {
        let utc = |text: &str| format_timestamp(parse_timestamptz(text).unwrap(), "");
        assert_eq!(utc("1991-01-15 04:05:06 AD +08:00"), "1991-01-14 20:05:06");
        assert_eq!(utc("1991-01-18 04:05:06 +08:00 BC"), "1991-01-17 20:05:06 BC");
        assert_eq!(utc("1991-01-18 bc 04:05:06.5 -02:30"), "1991-01-18 06:35:06.5 BC");
        assert_eq!(utc("0001-01-01 00:00:00 +08:00"), "0001-12-31 16:00:00 BC");
        assert_eq!(utc("1991-01-18BC +08"), "1991-01-17 16:00:00 BC");
        for text in ["04:05:06 AD BC", "04:05:06 AD AD", "04:05:06 +08:00 +08:00", "CE", "04:05 06:07"] {
            let error = parse_timestamptz(&format!("1991-01-18 {text}")).unwrap_err();
            assert_eq!(error.sqlstate, SqlState::INVALID_DATETIME_FORMAT, "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        let time = |text: &str| parse_time_of_day(text).map(format_time).map_err(|error| error.sqlstate);
        for (text, expected) in [
            ("04:05:06.789", "04:05:06.789"),
            ("04:05:06", "04:05:06"),
            (" 04:05 ", "04:05:00"),
            ("0405", "04:05:00"),
            ("040506", "04:05:06"),
            ("040506.5", "04:05:06.5"),
            ("04:05 AM", "04:05:00"),
            ("04:05 pm", "16:05:00"),
            ("12:00am", "00:00:00"),
            ("12:30 PM", "12:30:00"),
            ("04:05:06.789-8", "04:05:06.789"),
            ("2003-04-12 04:05:06", "04:05:06"),
            ("24:00:00", "24:00:00"),
            ("23:59:59.9999999", "24:00:00"),
            ("allballs", "00:00:00"),
        ] {
            assert_eq!(time(text).as_deref().ok(), Some(expected), "{text}");
        }
        for (text, state) in [
            ("25:00", "22008"),
            ("24:00:01", "22008"),
            ("13:00 PM", "22008"),
            ("00:30 AM", "22008"),
            ("12:61", "22008"),
            ("noon", "22007"),
            ("", "22007"),
            ("12", "22007"),
            ("12:00 BC", "22007"),
        ] {
            assert_eq!(time(text).unwrap_err().code(), state, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_kind() {
        let state = |text| parse_timestamp(text).unwrap_err().sqlstate;
        assert_eq!(state("yesterdayish"), SqlState::INVALID_DATETIME_FORMAT);
        assert_eq!(state("2024-01-01 noon"), SqlState::INVALID_DATETIME_FORMAT);
        assert_eq!(state("2024-13-01"), SqlState::DATETIME_FIELD_OVERFLOW);
        assert_eq!(state("2023-02-29"), SqlState::DATETIME_FIELD_OVERFLOW);
        assert_eq!(state("2024-01-01 25:00"), SqlState::DATETIME_FIELD_OVERFLOW);
        assert_eq!(state("0000-01-01"), SqlState::DATETIME_FIELD_OVERFLOW);
        assert_eq!(state("4714-11-23 BC"), SqlState::DATETIME_FIELD_OVERFLOW);
        assert_eq!(format_date(parse_date("4714-11-24 BC").unwrap()), "4714-11-24 BC");
    }
}
