/// The time of a commit: microseconds since 1970-01-01 UTC, strictly increasing, assigned by the
/// sequencer. It is the timely timestamp as well as the wall-clock meaning of `AS OF`.
pub type Epoch = u64;
