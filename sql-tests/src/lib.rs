//! What the tests and benches of the whole database share: a runner of sqllogictest files, a generator of
//! random cases, the bank, the crashes, and the benches. Everything here stands on the embedded API or on the wire,
//! never on what lies beneath them.

pub mod bank;
pub mod bench;
pub mod bucket_server;
pub mod client;
pub mod crash;
pub mod differential;
pub mod directory;
pub mod faults;
pub mod fuzz;
pub mod histories;
pub mod server;
pub mod slt;
pub mod workload;
