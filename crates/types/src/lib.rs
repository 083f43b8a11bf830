//! The vocabulary that every other crate speaks: [`ZBatch`], [`Epoch`], typed ids, the SQL types and
//! their Arrow forms, the one stable hash, and [`SqlError`].
//!
//! Invariant: this crate knows nothing of plans, storage, timely or the wire.

mod array_text;
mod bytea;
mod changes;
mod element_type;
mod enum_labels;
mod enum_type;
mod epoch;
mod error;
pub mod hash;
mod ids;
mod numeric_text;
mod oid;
mod rows;
mod sort_column;
mod sql_type;
mod uuid;
mod zbatch;

pub use array_text::array_text;
pub use bytea::bytea_text;
pub use changes::Changes;
pub use element_type::ElementType;
pub use enum_labels::{EnumLabels, Label, no_label};
pub use enum_type::{EnumId, EnumType};
pub use epoch::Epoch;
pub use error::{ErrorDelta, ErrorSubject, Result, SqlError, SqlState};
pub use ids::{RelationId, WorkerIndex};
pub use numeric_text::{
    POWER_SCALE, QUOTIENT_SCALES, ROOT_SCALE, WIDEST_NUMERIC, numeric_text, shown_scale, significant_decimals,
};
pub use rows::{Rows, take_rows};
pub use sort_column::SortColumn;
pub use sql_type::{SqlType, TIMETZ_BYTES, UNCONSTRAINED_NUMERIC, UUID_BYTES};
pub use uuid::{parse_uuid, uuid_text};
pub use zbatch::ZBatch;
