//! The year as a list of changes in the order of time, cut into ticks.

use chrono::{DateTime, Datelike};

use crate::data::Flight;

const MINUTE: i64 = 60_000;
/// Flights that will be cancelled are announced this long before their departure.
const ANNOUNCED: i64 = 6 * 60 * MINUTE;

/// What happens to a flight; the field is its position among the flights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// A flight that will be cancelled appears.
    Announce(usize),
    /// A flight leaves, and appears.
    Depart(usize),
    /// A flight arrives.
    Land(usize),
    /// A flight is not expected any more.
    Divert(usize),
    /// The announced flight does not leave, and is gone.
    Cancel(usize),
}

/// All flights and all that happens to them.
pub(crate) struct Timeline {
    /// In no order of importance: changes refer to them by position.
    pub(crate) flights: Vec<Flight>,
    changes: Vec<(i64, Change)>,
    step: i64,
}

/// The changes of one step of simulated time: one transaction.
pub(crate) struct Tick<'a> {
    start: i64,
    /// Never empty.
    pub(crate) changes: &'a [(i64, Change)],
}

impl Timeline {
    /// Orders what happens to the flights; each `step` minutes form a tick.
    pub(crate) fn new(flights: Vec<Flight>, step: u32) -> Timeline {
        let mut changes = Vec::with_capacity(2 * flights.len());
        for (index, flight) in flights.iter().enumerate() {
            match (flight.dep_time, flight.arr_time) {
                (None, _) => {
                    changes.push((flight.sched_dep - ANNOUNCED, Change::Announce(index)));
                    changes.push((flight.sched_dep, Change::Cancel(index)));
                }
                (Some(departed), arrived) => {
                    changes.push((departed, Change::Depart(index)));
                    let expected = departed + (flight.sched_arr - flight.sched_dep);
                    changes.push(match arrived {
                        Some(arrived) => (arrived, Change::Land(index)),
                        None => (expected, Change::Divert(index)),
                    });
                }
            }
        }
        changes.sort_unstable();
        Timeline { flights, changes, step: i64::from(step) * MINUTE }
    }

    /// Number of changes.
    pub(crate) fn len(&self) -> u64 {
        self.changes.len() as u64
    }

    /// In the order of time, without those in which nothing happens.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = Tick<'_>> {
        let ticks = self.changes.chunk_by(|(one, _), (next, _)| one / self.step == next / self.step);
        ticks.map(|changes| Tick { start: changes[0].0 / self.step * self.step, changes })
    }
}

impl Tick<'_> {
    /// The simulated day, as `2013-01-31`.
    pub(crate) fn date(&self) -> String {
        self.moment().format("%Y-%m-%d").to_string()
    }

    /// Year and quarter of the year.
    pub(crate) fn quarter(&self) -> (i32, u32) {
        (self.moment().year(), self.moment().month0() / 3)
    }

    /// Days from an earlier tick to this one.
    pub(crate) fn days_since(&self, earlier: &Tick<'_>) -> f64 {
        (self.start - earlier.start) as f64 / (24 * 60 * MINUTE) as f64
    }

    fn moment(&self) -> DateTime<chrono::Utc> {
        DateTime::from_timestamp_millis(self.start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flight_comes_and_ends_in_the_order_of_time() {
        let flights = crate::data::flights().expect("the Parquet file is part of the binary");
        assert_eq!(flights.len(), 336_776);
        let timeline = Timeline::new(flights, 60);
        assert_eq!(timeline.len(), 2 * 336_776);
        let mut there = vec![false; timeline.flights.len()];
        for tick in timeline.ticks() {
            for (_, change) in tick.changes {
                match *change {
                    Change::Announce(index) | Change::Depart(index) => {
                        assert!(!std::mem::replace(&mut there[index], true), "{change:?} comes twice");
                    }
                    Change::Land(index) | Change::Divert(index) | Change::Cancel(index) => {
                        assert!(
                            std::mem::replace(&mut there[index], false),
                            "{change:?} comes before the flight"
                        );
                    }
                }
            }
        }
        assert!(!there.contains(&true), "a flight does not end");
    }
}
