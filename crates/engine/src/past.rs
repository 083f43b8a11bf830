//! The past of a database in a directory: what its relations held at any epoch since they exist.
//!
//! A relation at an epoch is its last base before it plus the changes since, or the first base after it, or what its contents
//! hold now, minus the changes until then: whichever is less to read. Changes are in files, and those that no checkpoint has
//! written yet are kept by the contents. O(base + changes to it); a checkpoint writes a base when the changes since the last one
//! outweigh the rows, so that is O(rows at the epoch) on average.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::DateTime;
use parking_lot::{Mutex, RwLock};
use springtide_catalog::{CatalogChange, Relation};
use springtide_state::{self as state, RecordedChanges};
use springtide_storage::{Base, CatalogEntry, DataFile, History, Manifest, RelationHistory};
use springtide_types::{Changes, Epoch, ErrorDelta, Result, SqlError, SqlState, ZBatch};

use crate::log::storage_error;
use crate::overlay::overlay;
use crate::recent::Recent;
use crate::versions::versions;

/// The history of a database, and the manifest that says what there is of it.
pub(crate) struct Past {
    history: History,
    manifest: RwLock<Arc<Manifest>>,
    /// Manifests that somebody may still read by.
    retired: Mutex<Vec<Arc<Manifest>>>,
    /// Changes to the catalog that no manifest has yet, by ascending epoch.
    catalog_changes: Mutex<Vec<CatalogEntry>>,
    recent: Recent,
}

impl Past {
    pub(crate) fn new(history: History, manifest: Manifest) -> Past {
        Past {
            history,
            manifest: RwLock::new(Arc::new(manifest)),
            retired: Mutex::default(),
            catalog_changes: Mutex::default(),
            recent: Recent::default(),
        }
    }

    /// Keeps a change to the catalog for the next manifest.
    pub(crate) fn note_catalog_change(&self, epoch: Epoch, change: &CatalogChange) {
        self.catalog_changes.lock().push(CatalogEntry { epoch, change: change.to_json() });
    }

    /// All changes to the catalog until an epoch.
    pub(crate) fn catalog_changes(&self, until: Epoch) -> Vec<CatalogEntry> {
        let mut changes = self.manifest().catalog.clone();
        let known = changes.last().map_or(0, |entry| entry.epoch);
        let noted = self.catalog_changes.lock();
        changes.extend(noted.iter().filter(|entry| entry.epoch > known && entry.epoch <= until).cloned());
        changes
    }

    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        self.manifest.read().clone()
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Makes a manifest the one that counts. Returns the epoch up to which the log is no longer needed.
    pub(crate) fn install(&self, manifest: Manifest) -> Result<Epoch> {
        let unneeded = self.history.install(&manifest).map_err(storage_error)?;
        self.catalog_changes.lock().retain(|entry| entry.epoch > manifest.epoch);
        let before = std::mem::replace(&mut *self.manifest.write(), Arc::new(manifest));
        self.retired.lock().push(before);
        Ok(unneeded)
    }

    /// Removes the files that nobody needs.
    pub(crate) fn collect_garbage(&self) -> Result<()> {
        let mut retired = self.retired.lock();
        retired.retain(|manifest| Arc::strong_count(manifest) > 1);
        let mut live = retired.clone();
        live.push(self.manifest());
        self.history.collect_garbage(&live).map_err(storage_error)
    }

    /// The rows with positive weights of a relation at an epoch, or the error that it held then. It is complete up to
    /// `present`, an epoch not before that, at which its contents can still be read.
    pub(crate) fn rows(
        &self,
        relation: &Relation,
        contents: &state::Relation,
        epoch: Epoch,
        present: Epoch,
    ) -> Result<Vec<ZBatch>> {
        let log = self.log(relation, contents, present)?;
        log.check_readable(epoch)?;
        if let Some(rows) = self.recent.get(relation.id, epoch) {
            return Ok(rows);
        }
        let whole = log.nearest_whole(epoch, contents.len());
        let snapshot = match whole.held {
            Held::Nothing => Vec::new(),
            Held::Base(base) => self.read_rows(&log, &base.files)?,
            Held::Contents => {
                (0..contents.shards()).flat_map(|shard| contents.snapshot_shard(shard, present).0).collect()
            }
        };
        let deltas = self.log_between(&log, whole.epoch.min(epoch), whole.epoch.max(epoch))?;
        let deltas = deltas.iter().map(Changes::delta);
        // From a later moment the way leads back.
        let deltas: Vec<_> = match whole.epoch > epoch {
            true => deltas.map(ZBatch::negate).collect(),
            false => deltas.cloned().collect(),
        };
        let rows = overlay(snapshot, &deltas);
        self.recent.put(relation.id, epoch, &rows);
        Ok(rows)
    }

    fn read_rows(&self, log: &Log<'_>, files: &[DataFile]) -> Result<Vec<ZBatch>> {
        let mut rows = Vec::new();
        if let Some(known) = log.known() {
            let take = |piece: Changes| rows.push(piece.delta().clone());
            self.read(known, files.iter(), &log.relation.schema(), take)?;
        }
        Ok(rows)
    }

    /// The changes later than `after` and not later than `until`, in files or not, in pieces.
    fn log_between(&self, log: &Log<'_>, after: Epoch, until: Epoch) -> Result<Vec<Changes>> {
        let mut pieces = Vec::new();
        if let Some(known) = log.known() {
            self.read_between(known, after, until, &log.relation.schema(), |piece| pieces.push(piece))?;
        }
        pieces.extend(log.unwritten(after, until));
        Ok(pieces)
    }

    /// What changed in a relation after one epoch and until another, which is complete: its columns, then
    /// `_epoch` and `_weight`, by ascending epoch. What came and went within one epoch is left out.
    pub(crate) fn changes(
        &self,
        relation: &Relation,
        contents: &state::Relation,
        after: Epoch,
        until: Epoch,
    ) -> Result<RecordBatch> {
        let log = self.log(relation, contents, until)?;
        if let Some(known) =
            log.known().filter(|known| after > 0 && known.created < known.since && after < known.since)
        {
            return Err(too_early(relation, known.since));
        }
        let pieces = self.log_between(&log, after, until)?;
        weighed(&net_changes(&Changes::merge(relation.schema(), &pieces))?)
            .map_err(|error| SqlError::internal(error.to_string()))
    }

    /// The rows that a relation has had until an epoch, which is complete, each with the time that it was there: its
    /// columns, then `valid_from` and `valid_to`. What was there before the relation can be read is there from when it
    /// can. Fails as reading it at the epoch does.
    pub(crate) fn versions(
        &self,
        relation: &Relation,
        contents: &state::Relation,
        until: Epoch,
    ) -> Result<ZBatch> {
        let log = self.log(relation, contents, until)?;
        log.check_readable(until)?;
        let mut pieces = Vec::new();
        if let Some(known) = log.known() {
            let schema = relation.schema();
            let oldest = known.base(known.since).filter(|_| known.created < known.since);
            let rows = oldest.into_iter().flat_map(|base| &base.files);
            self.read(known, rows, &schema, |piece| pieces.push(piece))?;
            let after = oldest.map_or(0, |base| base.epoch);
            self.read_between(known, after, until, &schema, |piece| pieces.push(piece))?;
        }
        pieces.extend(log.unwritten(0, until));
        versions(&net_changes(&Changes::merge(relation.schema(), &pieces))?)
            .map_err(|error| SqlError::internal(error.to_string()))
    }

    fn log<'a>(&self, relation: &'a Relation, contents: &state::Relation, until: Epoch) -> Result<Log<'a>> {
        // In this order: what the contents no longer keep is in the manifest that is read after.
        let recorded = contents.recorded(until);
        let recorded = recorded.ok_or_else(|| SqlError::internal("no changes are kept"))?;
        Ok(Log { relation, present: until, recorded, manifest: self.manifest() })
    }

    /// Hands on what in files adds up to a relation at an epoch: its newest base, and the changes since.
    pub(crate) fn read_at(
        &self,
        relation: &RelationHistory,
        epoch: Epoch,
        schema: &SchemaRef,
        mut take: impl FnMut(Changes),
    ) -> Result<()> {
        let base = relation.base(epoch);
        self.read(relation, base.into_iter().flat_map(|base| &base.files), schema, &mut take)?;
        self.read_between(relation, base.map_or(0, |base| base.epoch), epoch, schema, take)
    }

    /// Hands on the changes in files that are later than `after` and not later than `until`; a file may begin before and
    /// end after.
    pub(crate) fn read_between(
        &self,
        relation: &RelationHistory,
        after: Epoch,
        until: Epoch,
        schema: &SchemaRef,
        mut take: impl FnMut(Changes),
    ) -> Result<()> {
        for file in relation.changes(after, until) {
            let read = self.history.read_between(&relation.directory, file, schema, after, until);
            read.map_err(storage_error)?.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    /// Hands on what is in files, one file after the other.
    pub(crate) fn read<'a>(
        &self,
        relation: &RelationHistory,
        files: impl Iterator<Item = &'a DataFile>,
        schema: &SchemaRef,
        mut take: impl FnMut(Changes),
    ) -> Result<()> {
        for file in files {
            let pieces = self.history.read(&relation.directory, file, schema).map_err(storage_error)?;
            pieces.into_iter().for_each(&mut take);
        }
        Ok(())
    }
}

/// Where the changes of a relation until the present are.
struct Log<'a> {
    relation: &'a Relation,
    present: Epoch,
    manifest: Arc<Manifest>,
    recorded: RecordedChanges,
}

/// All rows of a relation at an epoch, from which those at another follow by the changes between.
struct Whole<'a> {
    epoch: Epoch,
    held: Held<'a>,
    /// How many rows there are.
    rows: u64,
}

/// Where all rows of a relation are.
enum Held<'a> {
    /// There were none yet.
    Nothing,
    Base(&'a Base),
    Contents,
}

impl<'a> Whole<'a> {
    fn base(base: &'a Base) -> Whole<'a> {
        let rows = base.files.iter().map(|file| file.rows).sum();
        Whole { epoch: base.epoch, held: Held::Base(base), rows }
    }
}

impl Log<'_> {
    fn known(&self) -> Option<&RelationHistory> {
        self.manifest.relation(self.relation.id)
    }

    /// The first epoch at which the relation can be read.
    fn since(&self) -> Epoch {
        self.known().map_or(self.recorded.after + 1, |known| known.since)
    }

    /// Fails if the relation can't be read at an epoch, or holds an error then.
    fn check_readable(&self, epoch: Epoch) -> Result<()> {
        if epoch < self.since() {
            return Err(too_early(self.relation, self.since()));
        }
        self.error(epoch).map_or(Ok(()), Err)
    }

    /// Up to here the changes are in files.
    fn written(&self) -> Epoch {
        self.known().map_or(self.recorded.after, |_| self.manifest.epoch)
    }

    /// That which leads to an epoch at the least cost: the last one before it or the first one after it. `rows` are in
    /// the contents now.
    fn nearest_whole(&self, epoch: Epoch, rows: u64) -> Whole<'_> {
        let bases = self.known().map_or(&[][..], |known| &known.bases);
        let (before, after) = bases.split_at(bases.partition_point(|base| base.epoch <= epoch));
        let before = before.last().map_or(Whole { epoch: 0, held: Held::Nothing, rows: 0 }, Whole::base);
        let contents = Whole { epoch: self.present, held: Held::Contents, rows };
        let after = after.first().map_or(contents, Whole::base);
        if self.cost(&after, epoch) < self.cost(&before, epoch) { after } else { before }
    }

    /// What it costs, in rows that are read, to get from the rows at one epoch to those at another. A change is read, and
    /// summed up with those of equal rows.
    fn cost(&self, whole: &Whole<'_>, epoch: Epoch) -> u64 {
        let (after, until) = (whole.epoch.min(epoch), whole.epoch.max(epoch));
        let files = self.known().into_iter().flat_map(|known| known.changes(after, until));
        let unwritten = self.unwritten(after, until).map(|piece| piece.len() as u64);
        whole.rows + 2 * files.map(|file| file.rows).chain(unwritten).sum::<u64>()
    }

    /// The changes later than `after` and not later than `until` that are in no file.
    fn unwritten(&self, after: Epoch, until: Epoch) -> impl Iterator<Item = Changes> {
        let after = self.written().max(after);
        let pieces = self.recorded.rows.iter().map(move |piece| piece.between(after, until));
        pieces.filter(|piece| !piece.is_empty())
    }

    /// The first error that the relation holds at the end of an epoch.
    fn error(&self, epoch: Epoch) -> Option<SqlError> {
        let written = self.known().into_iter().flat_map(|known| &known.errors);
        let written = written.filter(|change| change.epoch <= epoch);
        let written = written.map(|change| ErrorDelta { error: change.error(), weight: change.weight });
        let unwritten = self.recorded.errors.iter();
        let unwritten = unwritten.filter(|(changed, _)| *changed > self.written() && *changed <= epoch);
        ErrorDelta::first(written.chain(unwritten.map(|(_, delta)| delta.clone())))
    }
}

/// The records with the sum of their weights, by ascending epoch: once for each row and epoch, which is the last column.
fn net_changes(changes: &Changes) -> Result<ZBatch> {
    let epochs: ArrayRef = Arc::new(changes.epochs().clone());
    let schema = with_column(&changes.delta().schema(), "_epoch", &epochs);
    let columns = changes.delta().columns().iter().cloned().chain([epochs]).collect();
    let timed =
        RecordBatch::try_new(schema, columns).map_err(|error| SqlError::internal(error.to_string()))?;
    Ok(state::consolidate(&ZBatch::new(timed, changes.delta().weights().clone())))
}

/// The rows, and their weights as a column.
fn weighed(changes: &ZBatch) -> std::result::Result<RecordBatch, ArrowError> {
    let weights: ArrayRef = Arc::new(changes.weights().clone());
    let schema = with_column(&changes.schema(), "_weight", &weights);
    RecordBatch::try_new(schema, changes.columns().iter().cloned().chain([weights]).collect())
}

fn with_column(schema: &Schema, name: &str, values: &ArrayRef) -> SchemaRef {
    let added = Arc::new(Field::new(name, values.data_type().clone(), false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([added]).collect::<Vec<_>>()))
}

fn too_early(relation: &Relation, since: Epoch) -> SqlError {
    let message = format!("{} \"{}\" can't be read at that moment", relation.kind_name(), relation.name);
    let since = format!("The oldest moment at which it can be read is {}.", moment_text(since));
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(since)
}

/// An epoch as a `timestamptz` is written.
pub(crate) fn moment_text(epoch: Epoch) -> String {
    let moment = DateTime::from_timestamp_micros(epoch as i64);
    moment.map_or_else(|| epoch.to_string(), |moment| moment.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string())
}
