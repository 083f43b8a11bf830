use std::time::Duration;

/// How long each of many things took.
#[derive(Clone, Debug)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Of at least one thing.
    pub fn new(mut latencies: Vec<Duration>) -> Latencies {
        latencies.sort_unstable();
        Latencies(latencies)
    }

    /// The latency that so many percent of them do not exceed; 100 is the longest.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
