//! Nexmark: people, auctions and bids, made up as the reference generator does it.

mod clock;
mod generator;
mod text;

use std::time::{Duration, Instant};

use springtide_types::{Result, SqlError, SqlState, SqlType};

use crate::{Batch, Connector, Next, OptionReader, Options, Source, Table};

pub use generator::{Events, Generator};

/// Events in a second of event time where no rate is given, as in the reference generator.
const USUAL_RATE: u64 = 10_000;
/// Events in a batch, at most.
const MOST_EVENTS: u64 = 4_096;
/// Events that are due are collected for so long.
const TICK: Duration = Duration::from_millis(20);

const VARCHAR: SqlType = SqlType::Varchar(None);

const PERSON: [(&str, SqlType); 8] = [
    ("id", SqlType::Int8),
    ("name", VARCHAR),
    ("email_address", VARCHAR),
    ("credit_card", VARCHAR),
    ("city", VARCHAR),
    ("state", VARCHAR),
    ("date_time", SqlType::Timestamp),
    ("extra", VARCHAR),
];

const AUCTION: [(&str, SqlType); 10] = [
    ("id", SqlType::Int8),
    ("item_name", VARCHAR),
    ("description", VARCHAR),
    ("initial_bid", SqlType::Int8),
    ("reserve", SqlType::Int8),
    ("date_time", SqlType::Timestamp),
    ("expires", SqlType::Timestamp),
    ("seller", SqlType::Int8),
    ("category", SqlType::Int8),
    ("extra", VARCHAR),
];

const BID: [(&str, SqlType); 8] = [
    ("auction", SqlType::Int8),
    ("bidder", SqlType::Int8),
    ("price", SqlType::Int8),
    ("channel", VARCHAR),
    ("url", VARCHAR),
    ("date_time", SqlType::Timestamp),
    ("extra", VARCHAR),
    ("arrived", SqlType::Timestamptz),
];

/// `FROM NEXMARK (rate => ..., count => ..., prefix => ...)`. Its position is the number of the next event.
pub struct Nexmark;

impl Connector for Nexmark {
    fn name(&self) -> &'static str {
        "nexmark"
    }

    fn tables(&self, options: &Options) -> Result<Vec<Table>> {
        let Wanted { prefix, .. } = Wanted::read(options)?;
        let table = |name: &str, columns: &[(&'static str, SqlType)]| Table {
            name: format!("{prefix}{name}"),
            columns: columns.to_vec(),
        };
        Ok(vec![table("person", &PERSON), table("auction", &AUCTION), table("bid", &BID)])
    }

    fn open(&self, options: &Options, position: Option<&str>) -> Result<Box<dyn Source>> {
        let Wanted { rate, count, .. } = Wanted::read(options)?;
        let position = position.map_or(Ok(0), str::parse).map_err(|_| {
            SqlError::new(SqlState::DATA_CORRUPTED, "the position of a Nexmark source is no number")
        })?;
        let generator = Generator::new(rate.unwrap_or(USUAL_RATE));
        let pace = rate.map(|rate| Pace { rate, since: Instant::now(), from: position });
        Ok(Box::new(Stream { generator, pace, count, position }))
    }
}

/// What the options ask for.
struct Wanted<'a> {
    /// Events in a second.
    rate: Option<u64>,
    /// Events in all.
    count: Option<u64>,
    /// What the names of the tables begin with.
    prefix: &'a str,
}

impl Wanted<'_> {
    fn read(options: &Options) -> Result<Wanted<'_>> {
        let mut reader = OptionReader::new(Nexmark.name(), options);
        let (rate, count) = (reader.count("rate")?, reader.count("count")?);
        let prefix = reader.text("prefix").unwrap_or_default();
        reader.finish()?;
        Ok(Wanted { rate, count, prefix })
    }
}

struct Stream {
    generator: Generator,
    pace: Option<Pace>,
    count: Option<u64>,
    /// The number of the next event.
    position: u64,
}

/// When events are due.
struct Pace {
    rate: u64,
    since: Instant,
    /// The event that was due first.
    from: u64,
}

impl Pace {
    /// The number of the first event that is not due.
    fn until(&self) -> u64 {
        let micros = self.since.elapsed().as_micros() * u128::from(self.rate);
        self.from.saturating_add(u64::try_from(micros / 1_000_000).unwrap_or(u64::MAX))
    }

    /// How long to wait for the next events.
    fn pause(&self) -> Duration {
        Duration::from_micros(1_000_000 / self.rate).max(TICK)
    }
}

impl Source for Stream {
    fn next(&mut self) -> Result<Next> {
        let end = self.count.unwrap_or(u64::MAX);
        if self.position >= end {
            return Ok(Next::End);
        }
        let mut until = end.min(self.position.saturating_add(MOST_EVENTS));
        if let Some(pace) = &self.pace {
            until = until.min(pace.until());
            if until <= self.position {
                return Ok(Next::Wait(pace.pause()));
            }
        }
        let Events { events, person, auction, bid } = self.generator.events(self.position..until);
        self.position = until;
        Ok(Next::Batch(Batch { events, rows: vec![person, auction, bid], position: until.to_string() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[(&str, &str)]) -> Options {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn goes_on_where_it_stopped_and_ends() {
        let options = options(&[("count", "10000")]);
        let (mut position, mut sizes) = (None, Vec::new());
        loop {
            let mut source = Nexmark.open(&options, position.as_deref()).unwrap();
            match source.next().unwrap() {
                Next::Batch(batch) => {
                    sizes.push(batch.events);
                    position = Some(batch.position);
                }
                Next::End => break,
                Next::Wait(_) => panic!("there is no rate"),
            }
        }
        assert_eq!((sizes, position.as_deref()), (vec![4_096, 4_096, 1_808], Some("10000")));
    }

    #[test]
    fn rows_have_the_columns_of_their_tables() {
        let tables = Nexmark.tables(&options(&[("prefix", "n_")])).unwrap();
        let names = tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["n_person", "n_auction", "n_bid"]);
        let Next::Batch(batch) = Nexmark.open(&Options::new(), None).unwrap().next().unwrap() else {
            panic!("there are events");
        };
        for (table, rows) in tables.iter().zip(&batch.rows) {
            let schema = rows.schema();
            let found = schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone()));
            let declared =
                table.columns.iter().map(|(name, sql_type)| ((*name).to_owned(), sql_type.arrow()));
            assert!(found.eq(declared), "{}", table.name);
        }
    }

    #[test]
    fn keeps_to_its_rate() {
        let mut source = Nexmark.open(&options(&[("rate", "2")]), None).unwrap();
        assert!(matches!(source.next().unwrap(), Next::Wait(pause) if pause == Duration::from_millis(500)));
    }

    #[test]
    fn options_that_it_does_not_have() {
        let error = |given: &[(&str, &str)]| Nexmark.tables(&options(given)).unwrap_err().message;
        assert_eq!(error(&[("rat", "1")]), "unrecognized option \"rat\" for a source from NEXMARK");
        for wrong in ["0", "-1", "x", "9999999999999999999"] {
            assert_eq!(error(&[("rate", wrong)]), format!("invalid value for option \"rate\": \"{wrong}\""));
        }
    }
}
