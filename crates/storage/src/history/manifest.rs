//! The manifest: what the history of a database consists of at one epoch.

use serde::{Deserialize, Serialize};
use springtide_types::{Epoch, ErrorDelta, RelationId, SqlError, SqlState};
use xxhash_rust::xxh3::xxh3_64;

/// The version of the format that is written.
const FORMAT: u32 = 1;
/// Characters of the name of a relation in that of its directory, at most: file systems allow no more than 255.
const READABLE: usize = 63;

/// All that happened up to one epoch, by the files that hold it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Everything up to here is in the files.
    pub epoch: Epoch,
    /// The catalog at that epoch, in the engine's own terms.
    pub catalog: serde_json::Value,
    /// The stored relations, by ascending identity.
    pub relations: Vec<RelationHistory>,
}

/// The history of one table or view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelationHistory {
    /// Whose it is.
    pub id: RelationId,
    /// The directory of its files, below that of the history.
    pub directory: String,
    /// The first epoch at which the relation can be read.
    pub since: Epoch,
    /// Of a view, the fingerprint of the plan that computed it.
    pub fingerprint: Option<u64>,
    /// Whole contents at some epochs, ascending.
    pub bases: Vec<Base>,
    /// What changed, in files that ascend by the epochs in them.
    pub changes: Vec<DataFile>,
    /// The errors of a view that came (positive weight) and went, by ascending epoch.
    pub errors: Vec<ErrorChange>,
}

/// The whole contents of a relation at one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// The epoch.
    pub epoch: Epoch,
    /// The rows, each with this epoch.
    pub files: Vec<DataFile>,
}

/// One Parquet file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name in the directory of the relation.
    pub name: String,
    /// Number of records.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// XXH3 of all of it.
    pub checksum: u64,
    /// The epoch of the first record.
    pub first: Epoch,
    /// The epoch of the last record.
    pub last: Epoch,
}

/// An error that came or went at an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorChange {
    /// When.
    pub epoch: Epoch,
    /// How many rows more (or, negative, fewer) cause it.
    pub weight: i64,
    sqlstate: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl ErrorChange {
    /// What happened to an error at an epoch.
    pub fn new(epoch: Epoch, delta: &ErrorDelta) -> ErrorChange {
        let SqlError { sqlstate, message, detail, hint } = delta.error.clone();
        let sqlstate = sqlstate.code().to_owned();
        ErrorChange { epoch, weight: delta.weight, sqlstate, message, detail, hint }
    }

    /// The error.
    pub fn error(&self) -> SqlError {
        let mut error = SqlError::new(SqlState::from_code(&self.sqlstate), self.message.clone());
        error.detail.clone_from(&self.detail);
        error.hint.clone_from(&self.hint);
        error
    }
}

impl RelationHistory {
    /// A history that begins at an epoch, with nothing in it.
    pub fn new(id: RelationId, name: &str, since: Epoch) -> RelationHistory {
        let readable = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let readable = readable.take(READABLE);
        let directory = format!("{}.{}", readable.collect::<String>(), id.0);
        RelationHistory {
            id,
            directory,
            since,
            fingerprint: None,
            bases: Vec::new(),
            changes: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The newest whole contents that are not later than an epoch.
    pub fn base(&self, epoch: Epoch) -> Option<&Base> {
        self.bases.iter().rev().find(|base| base.epoch <= epoch)
    }

    /// The files with changes later than `after` and not later than `until`.
    pub fn changes(&self, after: Epoch, until: Epoch) -> impl Iterator<Item = &DataFile> {
        self.changes.iter().filter(move |file| file.last > after && file.first <= until)
    }

    /// All files.
    pub(super) fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.bases.iter().flat_map(|base| &base.files).chain(&self.changes)
    }
}

impl Manifest {
    /// A manifest in the format of today.
    pub fn new(epoch: Epoch, catalog: serde_json::Value, relations: Vec<RelationHistory>) -> Manifest {
        Manifest { format: FORMAT, epoch, catalog, relations }
    }

    /// The history of a relation.
    pub fn relation(&self, id: RelationId) -> Option<&RelationHistory> {
        self.relations.iter().find(|relation| relation.id == id)
    }

    /// JSON, then a line with its checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a manifest has no keys other than texts");
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(format!("\n{checksum:016x}\n").as_bytes());
        bytes
    }

    /// Fails with what is wrong with the bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, String> {
        let text = bytes.strip_suffix(b"\n").ok_or("it is cut off")?;
        let end = text.iter().rposition(|byte| *byte == b'\n').ok_or("it is cut off")?;
        if text[end + 1..] != *format!("{:016x}", xxh3_64(&text[..end])).as_bytes() {
            return Err("its checksum is wrong".to_owned());
        }
        let manifest: Manifest = serde_json::from_slice(&text[..end]).map_err(|error| error.to_string())?;
        match manifest.format {
            FORMAT => Ok(manifest),
            other => Err(format!("its format is {other}, which this version does not know")),
        }
    }
}
