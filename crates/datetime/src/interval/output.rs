//! Intervals as texts, in the styles of IntervalStyle.

use std::fmt::Write;

use super::Interval;
use crate::calendar::{HOUR, MINUTE, SECOND};
use crate::output::write_seconds;
use crate::style::IntervalStyle;

/// An interval in fields, each of which has its own sign.
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    /// In microseconds.
    seconds: i64,
}

/// Writes an interval.
pub fn write_interval(interval: Interval, style: IntervalStyle, out: &mut impl Write) {
    let text = match interval {
        Interval::LATE => "infinity".to_owned(),
        Interval::EARLY => "-infinity".to_owned(),
        Interval { months, days, micros } => {
            let parts = Parts {
                years: i64::from(months / 12),
                months: i64::from(months % 12),
                days: i64::from(days),
                hours: micros / HOUR,
                minutes: micros / MINUTE % 60,
                seconds: micros % MINUTE,
            };
            match style {
                IntervalStyle::Postgres => parts.postgres(),
                IntervalStyle::PostgresVerbose => parts.verbose(),
                IntervalStyle::SqlStandard => parts.standard(),
                IntervalStyle::Iso8601 => parts.iso(),
            }
        }
    };
    out.write_str(&text).expect("writing to memory");
}

macro_rules! put {
    ($out:expr, $($argument:tt)*) => { write!($out, $($argument)*).expect("writing to a String") };
}

fn sign(negative: bool) -> &'static str {
    if negative { "-" } else { "" }
}

impl Parts {
    fn has_negative_time(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0
    }

    fn clock(&self, width: usize, out: &mut String) {
        put!(out, "{:0width$}:{:02}:", self.hours.unsigned_abs(), self.minutes.unsigned_abs());
        write_seconds(self.seconds.abs(), 2, out);
    }

    fn postgres(&self) -> String {
        let mut out = String::new();
        let mut after_negative = false;
        for (count, unit) in [(self.years, "year"), (self.months, "mon"), (self.days, "day")] {
            if count == 0 {
                continue;
            }
            let space = if out.is_empty() { "" } else { " " };
            let plus = if after_negative && count > 0 { "+" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            put!(out, "{space}{plus}{count} {unit}{plural}");
            after_negative = count < 0;
        }
        if out.is_empty() || self.has_time() {
            let space = if out.is_empty() { "" } else { " " };
            let minus = self.has_negative_time();
            let plus = if after_negative && !minus { "+" } else { "" };
            put!(out, "{space}{}{plus}", sign(minus));
            self.clock(2, &mut out);
        }
        out
    }

    fn verbose(&self) -> String {
        let mut out = "@".to_owned();
        // The sign of the first field is told by `ago`; the others are told relative to it.
        let (mut is_first, mut before) = (true, false);
        let units = [
            (self.years, "year"),
            (self.months, "mon"),
            (self.days, "day"),
            (self.hours, "hour"),
            (self.minutes, "min"),
        ];
        for (count, unit) in units.into_iter().filter(|(count, _)| *count != 0) {
            if is_first {
                (is_first, before) = (false, count < 0);
            }
            let count = if before { -count } else { count };
            put!(out, " {count} {unit}{}", if count == 1 { "" } else { "s" });
        }
        if self.seconds != 0 {
            let first = is_first;
            if first {
                (is_first, before) = (false, self.seconds < 0);
            }
            let minus = !first && (self.seconds < 0) != before;
            put!(out, " {}", sign(minus));
            write_seconds(self.seconds.abs(), 1, &mut out);
            put!(out, " sec{}", if self.seconds.abs() == SECOND { "" } else { "s" });
        }
        if is_first {
            put!(out, " 0");
        }
        if before {
            put!(out, " ago");
        }
        out
    }

    fn standard(&self) -> String {
        let parts = [self.years, self.months, self.days, self.hours, self.minutes, self.seconds];
        let (negative, positive) = (parts.iter().any(|part| *part < 0), parts.iter().any(|part| *part > 0));
        let has_months = self.years != 0 || self.months != 0;
        let has_days = self.days != 0;
        let has_time = self.has_time();
        let mut out = String::new();
        if !negative && !positive {
            put!(out, "0");
        } else if (negative && positive) || (has_months && (has_days || has_time)) {
            // No standard covers these: every part gets its sign.
            let plus = |minus: bool| if minus { '-' } else { '+' };
            put!(
                out,
                "{}{}-{}",
                plus(self.years < 0 || self.months < 0),
                self.years.abs(),
                self.months.abs()
            );
            put!(out, " {}{}", plus(self.days < 0), self.days.abs());
            put!(out, " {}", plus(self.has_negative_time()));
            self.clock(1, &mut out);
        } else {
            put!(out, "{}", sign(negative));
            if has_months {
                put!(out, "{}-{}", self.years.abs(), self.months.abs());
            } else if has_days {
                put!(out, "{} ", self.days.abs());
                self.clock(1, &mut out);
            } else {
                self.clock(1, &mut out);
            }
        }
        out
    }

    fn iso(&self) -> String {
        let mut out = "P".to_owned();
        let fields = |out: &mut String, fields: [(i64, char); 3]| {
            for (count, designator) in fields.into_iter().filter(|(count, _)| *count != 0) {
                put!(out, "{count}{designator}");
            }
        };
        fields(&mut out, [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')]);
        if self.has_time() {
            out.push('T');
            fields(&mut out, [(self.hours, 'H'), (self.minutes, 'M'), (0, 'S')]);
            if self.seconds != 0 {
                put!(out, "{}", sign(self.seconds < 0));
                write_seconds(self.seconds.abs(), 1, &mut out);
                out.push('S');
            }
        }
        if out == "P" {
            out.push_str("T0S");
        }
        out
    }
}
