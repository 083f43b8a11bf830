//! The texts in events.

use fastrand::Rng;

pub(super) const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

pub(super) const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];

const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];

/// Nearly all bids come through one of these.
const HOT_CHANNELS: [(&str, &str); 4] =
    [("Google", "googl"), ("Facebook", "meta"), ("Baidu", "bidu"), ("Apple", "aapl")];

/// The other channels.
const CHANNELS: u32 = 10_000;

pub(super) fn pick(rng: &mut Rng, values: &[&'static str]) -> &'static str {
    values[rng.usize(..values.len())]
}

/// Letters and digits, between 3 and `longest` of them.
pub(super) fn word(rng: &mut Rng, longest: usize) -> String {
    let length = rng.usize(3..=longest);
    letters(rng, length)
}

fn letters(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| rng.alphanumeric()).collect()
}

/// What fills an event of `size` bytes up to `wanted` on average, give or take a fifth.
pub(super) fn filler(rng: &mut Rng, size: usize, wanted: usize) -> String {
    let average = wanted.saturating_sub(size);
    let spread = (average as f32 * 0.2).round() as usize;
    if spread == 0 {
        return String::new();
    }
    let length = rng.usize(average - spread..=average + spread);
    letters(rng, length)
}

pub(super) fn name(rng: &mut Rng) -> String {
    format!("{} {}", pick(rng, &FIRST_NAMES), pick(rng, &LAST_NAMES))
}

pub(super) fn email(rng: &mut Rng) -> String {
    format!("{}@{}.com", word(rng, 7), word(rng, 5))
}

pub(super) fn credit_card(rng: &mut Rng) -> String {
    let mut four = || rng.u16(..10_000);
    format!("{:04} {:04} {:04} {:04}", four(), four(), four(), four())
}

/// Name and URL of the channel of a bid.
pub(super) fn channel(rng: &mut Rng) -> (String, String) {
    if rng.u8(..100) > 0 {
        let (name, path) = HOT_CHANNELS[rng.usize(..HOT_CHANNELS.len())];
        return (name.to_owned(), url(path));
    }
    let number = rng.u32(..CHANNELS);
    // The same channel has the same URL always.
    let path = letters(&mut Rng::with_seed(number.into()), 5);
    (format!("channel-{number}"), format!("{}&channel_id={}", url(&path), number.reverse_bits()))
}

fn url(path: &str) -> String {
    format!("https://www.nexmark.com/{path}/item.htm?query=1")
}
