//! A database of its own from a moment of another one's history.

use springtide_catalog::Definitions;
use springtide_storage::{DataFile, History, Manifest, RelationHistory};
use springtide_types::{Changes, Epoch, Result, SqlError, SqlState};

use crate::location::Location;
use crate::log::storage_error;
use crate::moment::parse_moment;
use crate::past::moment_text;
use crate::recovery::definitions_at;

/// A moment of a database in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePoint {
    /// That of the newest checkpoint.
    Newest,
    /// An epoch: microseconds since 1970.
    At(Epoch),
    /// The snapshot of this name.
    Snapshot(String),
}

impl RestorePoint {
    /// A moment as a `timestamptz` is written.
    pub fn parse(text: &str) -> Result<RestorePoint> {
        parse_moment(text).map(|moment| RestorePoint::At(Epoch::try_from(moment).unwrap_or(0)))
    }
}

/// Copies what the database in `from` held at a moment, with its history until then, to `to`, which must hold no
/// database. The other database may run meanwhile. Returns the epoch of the moment.
///
/// Fails with `42704` if there is no such snapshot, `22023` if the moment is not in the checkpoints, `55000` if `to` holds a
/// database or `from` none, `55006` if another process has `to` open, and as [`crate::Database::open_in`] does.
pub fn restore(from: &Location, point: &RestorePoint, to: &Location) -> Result<Epoch> {
    if !History::is_in(&*from.files, &from.directory).map_err(storage_error)? {
        let message = format!("there is no checkpoint in {}", from.directory.display());
        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("A running server writes one at CHECKPOINT, and when it ends."));
    }
    let (source, manifest) = from.history()?;
    let manifest = manifest.unwrap_or_default();
    let epoch = match point {
        RestorePoint::Newest => manifest.epoch,
        RestorePoint::At(epoch) => *epoch,
        RestorePoint::Snapshot(name) => snapshot(&manifest, name)?,
    };
    check_readable(&manifest, epoch)?;
    let _lock = to.lock()?;
    let (target, existing) = to.history()?;
    if existing.is_some() || to.log_directory.join("wal").exists() {
        let message = format!("there is a database in {} already", to.directory.display());
        return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("Restore to where there is nothing yet."));
    }
    let copy = Copy { source, target, epoch, definitions: definitions_at(&manifest, epoch)? };
    let relations = manifest.relations.iter().filter(|relation| relation.existed(epoch));
    let relations = relations.map(|relation| copy.relation(relation)).collect::<Result<Vec<_>>>()?;
    let catalog = manifest.catalog.iter().filter(|entry| entry.epoch <= epoch).cloned().collect();
    let mut restored = Manifest { catalog, relations, ..Manifest::new(epoch) };
    let snapshots = manifest.snapshots.into_iter();
    let readable = snapshots.filter(|snapshot| check_readable(&restored, snapshot.epoch).is_ok()).collect();
    restored.snapshots = readable;
    copy.target.install(&restored).map_err(storage_error)?;
    Ok(epoch)
}

fn snapshot(manifest: &Manifest, name: &str) -> Result<Epoch> {
    let found = manifest.snapshots.iter().find(|snapshot| snapshot.name == name);
    found.map(|snapshot| snapshot.epoch).ok_or_else(|| {
        let names = manifest.snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect::<Vec<_>>();
        SqlError::new(SqlState::UNDEFINED_OBJECT, format!("snapshot \"{name}\" does not exist")).with_hint(
            format!("There are: {}.", if names.is_empty() { "none".to_owned() } else { names.join(", ") }),
        )
    })
}

/// Fails with `22023` unless every table that existed at a moment can be read as of it.
pub(crate) fn check_readable(manifest: &Manifest, epoch: Epoch) -> Result<()> {
    let refuse = |message: String| Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    if epoch > manifest.epoch {
        let newest = moment_text(manifest.epoch);
        return refuse(format!(
            "the moment {} is later than the newest checkpoint, {newest}",
            moment_text(epoch)
        ));
    }
    let oldest = manifest.catalog.first().map_or(manifest.epoch, |entry| entry.epoch);
    if epoch < oldest {
        return refuse(format!(
            "the moment {} is before the oldest, {}",
            moment_text(epoch),
            moment_text(oldest)
        ));
    }
    let definitions = definitions_at(manifest, epoch)?;
    let readable = |id| manifest.relations.iter().any(|known| known.id == id && known.existed(epoch));
    match definitions.tables().find(|table| !readable(table.id)) {
        Some(table) => {
            let moment = moment_text(epoch);
            refuse(format!("the history of table \"{}\" as of {moment} is not kept any more", table.name()))
        }
        None => Ok(()),
    }
}

struct Copy {
    source: History,
    target: History,
    epoch: Epoch,
    /// What was defined at the moment.
    definitions: Definitions,
}

impl Copy {
    /// Copies the history of a relation until the moment.
    fn relation(&self, relation: &RelationHistory) -> Result<RelationHistory> {
        let mut copied = relation.clone();
        copied.dropped = None;
        copied.state = None;
        copied.bases.retain(|base| base.epoch <= self.epoch);
        for file in copied.bases.iter().flat_map(|base| &base.files) {
            self.source.copy(&relation.directory, file, &self.target).map_err(storage_error)?;
        }
        copied.errors.retain(|change| change.epoch <= self.epoch);
        copied.changes.clear();
        for file in relation.changes(0, self.epoch) {
            copied.changes.extend(self.changes(relation, file)?);
        }
        Ok(copied)
    }

    /// Copies a file of changes; one that goes on after the moment is written anew until then.
    fn changes(&self, relation: &RelationHistory, file: &DataFile) -> Result<Vec<DataFile>> {
        if file.last <= self.epoch {
            self.source.copy(&relation.directory, file, &self.target).map_err(storage_error)?;
            return Ok(vec![file.clone()]);
        }
        let missing =
            || SqlError::new(SqlState::DATA_CORRUPTED, "a relation with a history is not in the catalog");
        let schema = self.definitions.get(relation.id).ok_or_else(missing)?.schema();
        let pieces = self.source.read(&relation.directory, file, &schema).map_err(storage_error)?;
        let pieces = pieces.iter().map(|piece| piece.between(0, self.epoch)).collect::<Vec<_>>();
        let changes = Changes::merge(schema, &pieces);
        self.target
            .write(&relation.directory, &format!("{:020}-restored", self.epoch), &changes)
            .map_err(storage_error)
    }
}
