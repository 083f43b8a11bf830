use std::time::Duration;

/// How many of the ticks in which Linux accounts CPU time make a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time, user and system, that all threads of this process have used so far.
pub(super) fn time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux accounts for its processes");
    // The second field is the name of the program in parentheses, and it may hold blanks.
    let fields = stat.rsplit(')').next().expect("a split has at least one part").split_whitespace();
    let ticks = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("CPU time is a number"));
    Duration::from_secs_f64(ticks.sum::<u64>() as f64 / TICKS_PER_SECOND)
}
