//! How a session writes and reads moments: its DateStyle, IntervalStyle and TimeZone, and what time it is to it.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::calendar::Civil;
use crate::zone::Zone;

/// The output format of dates and timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DateFormat {
    /// `1997-12-17 07:37:16-08`
    #[default]
    Iso,
    /// `12/17/1997 07:37:16.00 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`
    German,
}

/// The order of year, month and day where an input does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// Month, day, year
    #[default]
    Mdy,
    /// Day, month, year
    Dmy,
    /// Year, month, day
    Ymd,
}

/// The output format of intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`
    PostgresVerbose,
    /// `1-2 3 4:05:06`
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`
    Iso8601,
}

/// DateStyle: a format and an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DateStyle {
    /// Of output.
    pub format: DateFormat,
    /// Of input, and of output in some formats.
    pub order: DateOrder,
}

impl DateStyle {
    /// This style with what a setting says; `None` if it is not understood, or contradicts itself.
    pub fn changed(self, setting: &str) -> Option<DateStyle> {
        let (mut format, mut order) = (None, None);
        fn set<T: PartialEq>(place: &mut Option<T>, value: T) -> bool {
            place.replace(value).is_none_or(|before| place.as_ref() == Some(&before))
        }
        for word in setting.split(',') {
            let word = word.trim().to_lowercase();
            let fine = match word.as_str() {
                "iso" => set(&mut format, DateFormat::Iso),
                "sql" => set(&mut format, DateFormat::Sql),
                "german" => {
                    order.get_or_insert(DateOrder::Dmy);
                    set(&mut format, DateFormat::German)
                }
                "ymd" => set(&mut order, DateOrder::Ymd),
                "default" => {
                    format.get_or_insert(DateFormat::Iso);
                    order.get_or_insert(DateOrder::Mdy);
                    true
                }
                word if word.starts_with("postgres") => set(&mut format, DateFormat::Postgres),
                word if word == "dmy" || word.starts_with("euro") => set(&mut order, DateOrder::Dmy),
                word if word == "mdy" || word == "us" || word.starts_with("noneuro") => {
                    set(&mut order, DateOrder::Mdy)
                }
                _ => false,
            };
            if !fine {
                return None;
            }
        }
        Some(DateStyle { format: format.unwrap_or(self.format), order: order.unwrap_or(self.order) })
    }

    /// As SHOW gives it.
    pub fn shown(self) -> String {
        let format = match self.format {
            DateFormat::Iso => "ISO",
            DateFormat::Sql => "SQL",
            DateFormat::Postgres => "Postgres",
            DateFormat::German => "German",
        };
        let order = match self.order {
            DateOrder::Mdy => "MDY",
            DateOrder::Dmy => "DMY",
            DateOrder::Ymd => "YMD",
        };
        format!("{format}, {order}")
    }
}

impl IntervalStyle {
    /// By its name in lower case.
    pub fn named(name: &str) -> Option<IntervalStyle> {
        Some(match name {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => return None,
        })
    }
}

/// All of it. Equal styles read and write alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// DateStyle
    pub date: DateStyle,
    /// IntervalStyle
    pub interval: IntervalStyle,
    /// TimeZone
    pub zone: Zone,
    /// What `now`, `today` and the like count from, in microseconds since 1970 UTC; 0 is the clock of the machine.
    pub now: i64,
}

impl Style {
    /// What clocks show, in the zone.
    pub fn clock(&self) -> Civil {
        let since =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
        let now = if self.now == 0 { since() } else { self.now };
        Civil::from_micros(self.zone.to_local(now).unwrap_or(now))
    }

    /// Whether texts mean the same in both, but for words such as `now`.
    pub fn reads_like(&self, other: &Style) -> bool {
        self.date == other.date && self.interval == other.interval && self.zone == other.zone
    }

    /// Whether dates and intervals go out as a server with no settings writes them, in UTC.
    pub fn is_plain(&self) -> bool {
        self.date.format == DateFormat::Iso
            && self.interval == IntervalStyle::Postgres
            && self.zone == Zone::default()
    }
}

thread_local! {
    static CURRENT: RefCell<Arc<Style>> = RefCell::default();
}

/// The style of what this thread is doing: that of the innermost [`within`], else the plain one.
pub fn current() -> Arc<Style> {
    CURRENT.with_borrow(Arc::clone)
}

/// Does something in a style. Values are read and written deep inside of expressions, where no argument carries it.
pub fn within<T>(style: &Arc<Style>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<Style>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(before) = self.0.take() {
                CURRENT.set(before);
            }
        }
    }
    let _restore = Restore(Some(CURRENT.replace(style.clone())));
    work()
}

/// A future that does its work in a style.
#[derive(Debug)]
pub struct Styled<F> {
    style: Arc<Style>,
    work: F,
}

impl<F> Styled<F> {
    /// Does the work in this style.
    pub fn new(style: Arc<Style>, work: F) -> Styled<F> {
        Styled { style, work }
    }
}

impl<F: Future + Unpin> Future for Styled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let style = self.style.clone();
        within(&style, || Pin::new(&mut self.work).poll(context))
    }
}
