use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{Field, Schema};
use fastrand::Rng;

use super::clock::{self, Clock, Stream};
use super::text;

const FIRST_ID: u64 = 1_000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: i64 = 5;

/// People who may bid or sell now, and ids that do not exist yet but may be named already.
const ACTIVE_PEOPLE: u64 = 1_000;
const PERSON_LEAD: u64 = 10;

/// One of this many consecutive ids is hot.
const HOT: u64 = 100;

/// All but one of so many auctions have a hot seller; likewise bids have hot auctions and hot bidders.
const HOT_SELLERS: u64 = 4;
const HOT_AUCTIONS: u64 = 2;
const HOT_BIDDERS: u64 = 4;

/// How many bytes an event has on average.
const PERSON_BYTES: usize = 200;
const AUCTION_BYTES: usize = 500;
const BID_BYTES: usize = 100;

/// Puts the seeds of neighbouring events far apart: 2^64 by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The rows of some events in a row, for each of the three tables.
#[derive(Clone, Debug)]
pub struct Events {
    /// How many events these are.
    pub events: u64,
    /// Rows of `person`.
    pub person: RecordBatch,
    /// Rows of `auction`.
    pub auction: RecordBatch,
    /// Rows of `bid`.
    pub bid: RecordBatch,
}

/// Makes events. Each is a function of its number alone, and so the same whenever it is made, and beside whichever others.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    clock: Clock,
}

impl Generator {
    /// One in whose events time passes at `events_per_second`, which is not 0.
    pub fn new(events_per_second: u64) -> Generator {
        Generator { clock: Clock { events_per_second } }
    }

    /// The events of these numbers.
    pub fn events(&self, numbers: Range<u64>) -> Events {
        let (mut people, mut auctions, mut bids) = (People::default(), Auctions::default(), Bids::default());
        for event in numbers.clone() {
            let mut rng = Rng::with_seed(event.wrapping_mul(SPREAD));
            match clock::stream(event) {
                Stream::Person => people.push(self.clock, &mut rng, event),
                Stream::Auction => auctions.push(self.clock, &mut rng, event),
                Stream::Bid => bids.push(self.clock, &mut rng, event),
            }
        }
        let (person, auction, bid) = (people.finish(), auctions.finish(), bids.finish());
        Events { events: numbers.end.saturating_sub(numbers.start), person, auction, bid }
    }
}

/// A random price: small ones are as likely as large ones, by magnitude.
fn price(rng: &mut Rng) -> i64 {
    (10_f64.powf(rng.f64() * 6.0) * 100.0).ceil() as i64
}

/// Someone who is active when `event` comes, or soon will be.
fn any_person(rng: &mut Rng, event: u64) -> u64 {
    let people = clock::last_person(event) + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + rng.u64(..active + PERSON_LEAD)
}

fn any_auction(rng: &mut Rng, event: u64) -> u64 {
    let last = clock::last_auction(event);
    rng.u64(last.saturating_sub(clock::IN_FLIGHT)..=last)
}

fn hot(last: u64) -> u64 {
    last / HOT * HOT
}

fn id(base: u64) -> i64 {
    (FIRST_ID + base) as i64
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), false);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(schema), arrays).expect("all columns have a value per event")
}

#[derive(Default)]
struct People {
    id: Int64Builder,
    name: StringBuilder,
    email_address: StringBuilder,
    credit_card: StringBuilder,
    city: StringBuilder,
    state: StringBuilder,
    date_time: TimestampMicrosecondBuilder,
    extra: StringBuilder,
}

impl People {
    fn push(&mut self, clock: Clock, rng: &mut Rng, event: u64) {
        let (name, email, card) = (text::name(rng), text::email(rng), text::credit_card(rng));
        let (city, state) = (text::pick(rng, &text::CITIES), text::pick(rng, &text::STATES));
        let size = 8 + name.len() + email.len() + card.len() + city.len() + state.len();
        self.id.append_value(id(clock::last_person(event)));
        self.name.append_value(name);
        self.email_address.append_value(email);
        self.credit_card.append_value(card);
        self.city.append_value(city);
        self.state.append_value(state);
        self.date_time.append_value(clock.millis(event) * 1_000);
        self.extra.append_value(text::filler(rng, size, PERSON_BYTES));
    }

    fn finish(mut self) -> RecordBatch {
        batch(vec![
            ("id", Arc::new(self.id.finish())),
            ("name", Arc::new(self.name.finish())),
            ("email_address", Arc::new(self.email_address.finish())),
            ("credit_card", Arc::new(self.credit_card.finish())),
            ("city", Arc::new(self.city.finish())),
            ("state", Arc::new(self.state.finish())),
            ("date_time", Arc::new(self.date_time.finish())),
            ("extra", Arc::new(self.extra.finish())),
        ])
    }
}

#[derive(Default)]
struct Auctions {
    id: Int64Builder,
    item_name: StringBuilder,
    description: StringBuilder,
    initial_bid: Int64Builder,
    reserve: Int64Builder,
    date_time: TimestampMicrosecondBuilder,
    expires: TimestampMicrosecondBuilder,
    seller: Int64Builder,
    category: Int64Builder,
    extra: StringBuilder,
}

impl Auctions {
    fn push(&mut self, clock: Clock, rng: &mut Rng, event: u64) {
        let seller = match rng.u64(..HOT_SELLERS) {
            0 => any_person(rng, event),
            _ => hot(clock::last_person(event)),
        };
        let (item_name, description) = (text::word(rng, 20), text::word(rng, 100));
        let initial_bid = price(rng);
        let length = 1 + rng.u64(..clock.longest_auction(event)) as i64;
        let size = 8 * 6 + item_name.len() + description.len();
        self.id.append_value(id(clock::last_auction(event)));
        self.item_name.append_value(item_name);
        self.description.append_value(description);
        self.initial_bid.append_value(initial_bid);
        self.reserve.append_value(initial_bid + price(rng));
        self.date_time.append_value(clock.millis(event) * 1_000);
        self.expires.append_value((clock.millis(event) + length) * 1_000);
        self.seller.append_value(id(seller));
        self.category.append_value(FIRST_CATEGORY + rng.i64(0..CATEGORIES));
        self.extra.append_value(text::filler(rng, size, AUCTION_BYTES));
    }

    fn finish(mut self) -> RecordBatch {
        batch(vec![
            ("id", Arc::new(self.id.finish())),
            ("item_name", Arc::new(self.item_name.finish())),
            ("description", Arc::new(self.description.finish())),
            ("initial_bid", Arc::new(self.initial_bid.finish())),
            ("reserve", Arc::new(self.reserve.finish())),
            ("date_time", Arc::new(self.date_time.finish())),
            ("expires", Arc::new(self.expires.finish())),
            ("seller", Arc::new(self.seller.finish())),
            ("category", Arc::new(self.category.finish())),
            ("extra", Arc::new(self.extra.finish())),
        ])
    }
}

#[derive(Default)]
struct Bids {
    auction: Int64Builder,
    bidder: Int64Builder,
    price: Int64Builder,
    channel: StringBuilder,
    url: StringBuilder,
    date_time: TimestampMicrosecondBuilder,
    extra: StringBuilder,
    arrived: TimestampMicrosecondBuilder,
}

impl Bids {
    fn push(&mut self, clock: Clock, rng: &mut Rng, event: u64) {
        let auction = match rng.u64(..HOT_AUCTIONS) {
            0 => any_auction(rng, event),
            _ => hot(clock::last_auction(event)),
        };
        // Hot bidders are other people than hot sellers.
        let bidder = match rng.u64(..HOT_BIDDERS) {
            0 => any_person(rng, event),
            _ => hot(clock::last_person(event)) + 1,
        };
        let (channel, url) = text::channel(rng);
        self.auction.append_value(id(auction));
        self.bidder.append_value(id(bidder));
        self.price.append_value(price(rng));
        self.channel.append_value(channel);
        self.url.append_value(url);
        self.date_time.append_value(clock.millis(event) * 1_000);
        self.extra.append_value(text::filler(rng, 8 * 4, BID_BYTES));
        // Nothing is late here.
        self.arrived.append_value(clock.millis(event) * 1_000);
    }

    fn finish(mut self) -> RecordBatch {
        batch(vec![
            ("auction", Arc::new(self.auction.finish())),
            ("bidder", Arc::new(self.bidder.finish())),
            ("price", Arc::new(self.price.finish())),
            ("channel", Arc::new(self.channel.finish())),
            ("url", Arc::new(self.url.finish())),
            ("date_time", Arc::new(self.date_time.finish())),
            ("extra", Arc::new(self.extra.finish())),
            ("arrived", Arc::new(self.arrived.finish().with_timezone("+00:00"))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_usual_proportions() {
        for start in (0..5_000).step_by(1_000) {
            let events = Generator::new(1_000).events(start..start + 1_000);
            let rows = [events.person.num_rows(), events.auction.num_rows(), events.bid.num_rows()];
            assert_eq!(rows, [20, 60, 920]);
        }
    }

    #[test]
    fn an_event_is_the_same_beside_any_others() {
        let generator = Generator::new(10_000);
        let whole = generator.events(0..300);
        let parts = [0..1, 1..57, 57..300].map(|numbers| generator.events(numbers));
        let joined = |part: fn(&Events) -> &RecordBatch| {
            let parts = parts.iter().map(part).collect::<Vec<_>>();
            arrow::compute::concat_batches(&parts[0].schema(), parts).unwrap()
        };
        assert_eq!(joined(|events| &events.person), whole.person);
        assert_eq!(joined(|events| &events.auction), whole.auction);
        assert_eq!(joined(|events| &events.bid), whole.bid);
    }
}
