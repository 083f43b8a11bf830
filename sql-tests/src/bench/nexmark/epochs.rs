use springtide_connectors::nexmark::{Events, Generator};

/// The first `events` events, in epochs of `size`; event time passes at `events_per_second`. The same arguments
/// give the same events always.
pub fn generate(events: u64, size: u64, events_per_second: u64) -> Vec<Events> {
    let generator = Generator::new(events_per_second);
    let starts = (0..events).step_by(size as usize);
    starts.map(|from| generator.events(from..(from + size).min(events))).collect()
}
