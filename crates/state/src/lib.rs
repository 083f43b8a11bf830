//! Indexed Z-sets: hashed ([`IndexedZSet`], [`KeyTable`]), ordered ([`OrderedWeights`], [`OrderedZSet`]), and versioned for
//! readers ([`Relation`]).
//!
//! Rows live in append-only columnar chunks and are named by their position; a weight per row and chains
//! of row positions per hash are kept beside them. Everything compares rows as SQL's `IS NOT DISTINCT
//! FROM` does: NULL equals NULL, −0.0 equals 0.0, every NaN equals every other. Invariant: this crate
//! knows nothing of operators, plans or threads other than its readers.

mod buckets;
mod change_log;
mod chunks;
mod consolidate;
mod equality;
mod frozen;
mod hash_index;
mod indexed;
mod key_table;
mod narrow_keys;
mod normalize;
mod order;
mod ordered;
mod ordered_zset;
mod relation;
mod shard;
mod store;
mod weights;
mod wide_keys;

pub use buckets::in_bucket_order;
pub use consolidate::{consolidate, first_equal, may_cancel};
pub use equality::equal_pairs;
pub use frozen::{FROZEN_VERSION, Frozen, frozen_batch, thaw_rows, unfit, weights_column};
pub use indexed::{Cursor, IndexedZSet, Matches};
pub use key_table::{KeyTable, is_narrow};
pub use normalize::normalize_floats;
pub use order::{float_key, float_of_key, interval_length};
pub use ordered::OrderedWeights;
pub use ordered_zset::{Keep, OrderedZSet};
pub use relation::{LookedUp, RecordedChanges, Relation};
