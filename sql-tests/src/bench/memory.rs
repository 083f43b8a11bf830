//! Memory of this process, in bytes, as Linux accounts for it.

/// From here on the peak is that of what follows. What was freed before, but not given back to the system, stays in it.
pub(super) fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux lets a process forget its peak");
}

/// The most that has been resident since [`forget_peak`].
pub(super) fn peak() -> u64 {
    status("VmHWM:")
}

/// What is resident now.
pub(super) fn resident() -> u64 {
    status("VmRSS:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of its processes");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.expect("memory is a number of kilobytes") << 10
}
