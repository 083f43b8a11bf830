//! Which event comes when, and which ids exist by then: the arithmetic of the reference generator.

/// Of fifty events in a row the first is a person, the next three are auctions, the others bids.
pub(super) const PEOPLE: u64 = 1;
pub(super) const AUCTIONS: u64 = 3;
pub(super) const EVENTS: u64 = 50;

/// Auctions that are open at a time.
pub(super) const IN_FLIGHT: u64 = 100;

/// 2024-01-01 00:00:00 in milliseconds.
const START_MILLIS: i64 = 1_704_067_200_000;

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Person,
    Auction,
    Bid,
}

/// What event number `event` is.
pub(super) fn stream(event: u64) -> Stream {
    match event % EVENTS {
        offset if offset < PEOPLE => Stream::Person,
        offset if offset < PEOPLE + AUCTIONS => Stream::Auction,
        _ => Stream::Bid,
    }
}

/// The newest person, counted from 0, when `event` comes.
pub(super) fn last_person(event: u64) -> u64 {
    event / EVENTS * PEOPLE + (PEOPLE - 1)
}

/// The newest auction, counted from 0, when `event` comes.
pub(super) fn last_auction(event: u64) -> u64 {
    let (round, offset) = (event / EVENTS, event % EVENTS);
    match stream(event) {
        Stream::Person => (round * AUCTIONS).saturating_sub(1),
        Stream::Auction => round * AUCTIONS + offset - PEOPLE,
        Stream::Bid => round * AUCTIONS + AUCTIONS - 1,
    }
}

/// How fast event time goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Events in a second of event time.
    pub(super) events_per_second: u64,
}

impl Clock {
    /// The time of an event in milliseconds, which is as fine as Nexmark goes.
    pub(super) fn millis(self, event: u64) -> i64 {
        START_MILLIS + (event * 1_000 / self.events_per_second) as i64
    }

    /// The longest time, in milliseconds, that an auction opened by `event` may run: twice as long as it takes until
    /// [`IN_FLIGHT`] more have opened.
    pub(super) fn longest_auction(self, event: u64) -> u64 {
        let horizon = self.millis(event + IN_FLIGHT * EVENTS / AUCTIONS) - self.millis(event);
        (horizon as u64 * 2).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_reference() {
        let auctions =
            [(0, 0), (1, 0), (2, 1), (3, 2), (23, 2), (49, 2), (50, 2), (51, 3), (73, 5), (50 * 33 + 1, 99)];
        for (event, auction) in auctions {
            assert_eq!(last_auction(event), auction, "event {event}");
        }
        for (event, person) in [(0, 0), (25, 0), (50, 1), (75, 1), (100, 2)] {
            assert_eq!(last_person(event), person, "event {event}");
        }
    }
}
