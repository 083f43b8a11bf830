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
    /// The version of the format.
    pub format: u32,
    /// Everything up to here is in the files.
    pub epoch: Epoch,
    /// All changes to the catalog, by ascending epoch.
    pub catalog: Vec<CatalogEntry>,
    /// The stored relations, by ascending identity, and those that were dropped and that a snapshot still needs.
    pub relations: Vec<RelationHistory>,
    /// Moments that are kept by name, in the order of the names.
    pub snapshots: Vec<Snapshot>,
}

/// A change to the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// When.
    pub epoch: Epoch,
    /// What changed, in the engine's own terms.
    pub change: serde_json::Value,
}

/// A moment of the whole database that is kept by a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The name.
    pub name: String,
    /// The moment.
    pub epoch: Epoch,
    /// When the name was given to it, in microseconds since 1970; older manifests do not say.
    #[serde(default)]
    pub created: Option<Epoch>,
}

/// The history of one table or view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelationHistory {
    /// Whose it is.
    pub id: RelationId,
    /// The directory of its files, below that of the history.
    pub directory: String,
    /// The epoch of its beginning.
    pub created: Epoch,
    /// The first epoch at which it can be read.
    pub since: Epoch,
    /// The epoch at which it was dropped.
    pub dropped: Option<Epoch>,
    /// Of a view, the fingerprint of the plan that computed it.
    pub fingerprint: Option<u64>,
    /// Whole contents at some epochs, ascending.
    pub bases: Vec<Base>,
    /// What changed, in files that ascend by the epochs in them.
    pub changes: Vec<DataFile>,
    /// The errors of a view that came (positive weight) and went, by ascending epoch.
    pub errors: Vec<ErrorChange>,
    /// Of a view, the newest state of its operators that is written.
    #[serde(default)]
    pub state: Option<StateFiles>,
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

/// The state of the operators of a view at an epoch: a cache, from which a start goes on if it can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateFiles {
    /// The epoch.
    pub epoch: Epoch,
    /// Of how many workers it is.
    pub workers: usize,
    /// The version of what the operators keep.
    pub version: u32,
    /// How many rows it has.
    pub rows: u64,
    /// The files, in the directory of the view.
    pub files: Vec<StateFile>,
}

/// One file of [`StateFiles`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// XXH3 of all of it.
    pub checksum: u64,
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
        // Errors of views are those of expressions, which are about no table.
        let SqlError { sqlstate, message, detail, hint, about: _ } = delta.error.clone();
        let sqlstate = sqlstate.code().to_owned();
        ErrorChange { epoch, weight: delta.weight, sqlstate, message, detail, hint }
    }

    fn is_same_error(&self, other: &ErrorChange) -> bool {
        self.error() == other.error()
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
            created: since,
            since,
            dropped: None,
            fingerprint: None,
            bases: Vec::new(),
            changes: Vec::new(),
            errors: Vec::new(),
            state: None,
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

    /// Forgets what is not needed to read it at epochs from `oldest` on.
    pub fn forget(&mut self, oldest: Epoch) {
        let Some(from) = self.base(oldest).map(|base| base.epoch) else { return };
        self.since = self.since.max(from);
        self.bases.retain(|base| base.epoch >= from);
        self.changes.retain(|file| file.last > from);
        let (old, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.errors).into_iter().partition(|change| change.epoch <= from);
        for change in old {
            let same = |known: &&mut ErrorChange| known.epoch == from && known.is_same_error(&change);
            match kept.iter_mut().find(same) {
                Some(known) => known.weight += change.weight,
                None => kept.insert(0, ErrorChange { epoch: from, ..change }),
            }
        }
        kept.retain(|change| change.weight != 0);
        self.errors = kept;
    }

    /// Whether the relation was there at an epoch.
    pub fn existed(&self, epoch: Epoch) -> bool {
        self.since <= epoch && self.dropped.is_none_or(|dropped| epoch < dropped)
    }

    /// The names of all files.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let data = self.bases.iter().flat_map(|base| &base.files).chain(&self.changes);
        let state = self.state.iter().flat_map(|state| &state.files);
        data.map(|file| file.name.as_str()).chain(state.map(|file| file.name.as_str()))
    }
}

impl Manifest {
    /// A manifest in the format of today, of an epoch at which nothing has happened.
    pub fn new(epoch: Epoch) -> Manifest {
        Manifest { format: FORMAT, epoch, ..Manifest::default() }
    }

    /// The history of a relation.
    pub fn relation(&self, id: RelationId) -> Option<&RelationHistory> {
        self.relations.iter().find(|relation| relation.id == id)
    }

    /// JSON of the manifest and its checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        let manifest = serde_json::to_value(self).expect("a manifest has no keys other than texts");
        let sealed = Sealed { checksum: checksum(&manifest), manifest };
        serde_json::to_vec(&sealed).expect("it is JSON")
    }

    /// Fails with what is wrong with the bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Manifest, Unreadable> {
        let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
        let sealed: Sealed = serde_json::from_slice(bytes).map_err(damaged)?;
        if sealed.checksum != checksum(&sealed.manifest) {
            return Err(Unreadable::Damaged("its checksum is wrong".to_owned()));
        }
        match sealed.manifest["format"].as_u64() {
            Some(format) if format != u64::from(FORMAT) => Err(Unreadable::Format(format)),
            _ => Manifest::deserialize(sealed.manifest).map_err(damaged),
        }
    }
}

/// Why bytes are no manifest.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// They are not what was written.
    Damaged(String),
    /// Another version wrote them, in this format.
    Format(u64),
}

/// A manifest as it is on disk.
#[derive(Serialize, Deserialize)]
struct Sealed {
    checksum: String,
    manifest: serde_json::Value,
}

/// XXH3 of the manifest as JSON without blanks, its keys in alphabetical order.
fn checksum(manifest: &serde_json::Value) -> String {
    format!("{:016x}", xxh3_64(manifest.to_string().as_bytes()))
}
