//! Whether transactions are strictly serializable, judged by what their clients saw.
//!
//! Sessions append numbers to lists and read lists, in random transactions, while the server is killed and started again.
//! From the lists that were read follows in which order the transactions must have happened; if there is none, that is an
//! anomaly (Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from Experimental Observations*, VLDB 2020).

mod checker;
mod graph;
mod recording;
mod run;

pub use checker::{Verdict, check};
pub use recording::{Operation, Outcome, Transaction};
pub use run::{Histories, record};
