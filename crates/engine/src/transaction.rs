use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::OwnedRow;
use springtide_catalog::system::Identity;
use springtide_catalog::{Catalog, Key, OnCommit, Relation, SchemaId, SearchPath};
use springtide_sql::{Scan, Time};
use springtide_state::consolidate;
use springtide_types::{Epoch, RelationId, Result, SqlError, ZBatch};

use crate::commit::{Acknowledged, Commit, ReadSet};
use crate::key_index::without_null_keys;
use crate::moment::{Moment, epoch_at};
use crate::objects::{Objects, base_tables, with_views_unfolded};
use crate::overlay::overlay;
use crate::reads::{ReadPoint, Reads};
use crate::row_index::RowIndex;
use crate::write_set::{WriteMark, WriteSet};
use crate::{constraints, foreign_keys, sequence_rows};

/// A transaction in progress: it reads everything at one epoch, sees its own writes on top, and remembers
/// what it read so that the sequencer can tell whether it is still true.
pub(crate) struct Transaction {
    point: ReadPoint,
    /// What exists but for this transaction's own DDL, along the path.
    shared_catalog: Arc<Catalog>,
    /// Where names are looked up.
    path: Arc<SearchPath>,
    /// The catalog after this transaction's DDL; `None` if it ran none.
    own_catalog: Option<Arc<Catalog>>,
    writes: WriteSet,
    reads: ReadSet,
    /// What the statement that runs has changed in tables that foreign keys lead to or from.
    changes: Vec<Change>,
    /// The moment that statements see instead of the present.
    as_of: Option<Moment>,
    /// Who runs the statements.
    identity: Identity,
}

/// Rows that a statement changed: each old row and the new one that took its place, or one of the two.
pub(crate) struct Change {
    pub(crate) table: RelationId,
    pub(crate) old: Option<RecordBatch>,
    pub(crate) new: Option<RecordBatch>,
}

/// What a transaction has done up to some moment.
pub(crate) struct Mark {
    catalog: Option<Arc<Catalog>>,
    writes: WriteMark,
}

impl Transaction {
    pub(crate) fn begin(reads: &Arc<Reads>) -> Transaction {
        let point = reads.begin();
        Transaction {
            shared_catalog: point.objects.catalog.clone(),
            path: SearchPath::stored(),
            point,
            own_catalog: None,
            writes: WriteSet::default(),
            reads: ReadSet::default(),
            changes: Vec::new(),
            as_of: None,
            identity: Identity::default(),
        }
    }

    /// Lets the statements from here on run as someone else; before, as the first superuser.
    pub(crate) fn act_as(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// Lets the statements from here on look names up along a path; before, those in `public` alone are found.
    pub(crate) fn look_along(&mut self, path: &Arc<SearchPath>) {
        if *path == self.path {
            return;
        }
        self.path = path.clone();
        self.shared_catalog = along(&self.point.objects.catalog, path);
        self.own_catalog = self.own_catalog.as_ref().map(|catalog| along(catalog, path));
    }

    /// Where names are looked up.
    pub(crate) fn path(&self) -> &Arc<SearchPath> {
        &self.path
    }

    /// Who runs the statements.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// The epoch that it reads at.
    pub(crate) fn epoch(&self) -> Epoch {
        self.point.epoch
    }

    /// What exists, as this transaction sees it, to be changed.
    pub(crate) fn catalog(&self) -> Catalog {
        self.visible_catalog().along(self.path.clone())
    }

    /// What exists, as this transaction sees it.
    pub(crate) fn visible_catalog(&self) -> &Catalog {
        self.own_catalog.as_deref().unwrap_or(&self.shared_catalog)
    }

    /// The same, to be kept while it is changed.
    pub(crate) fn kept_catalog(&self) -> Arc<Catalog> {
        self.own_catalog.clone().unwrap_or_else(|| self.shared_catalog.clone())
    }

    /// The catalog that others see.
    pub(crate) fn shared_catalog(&self) -> &Catalog {
        &self.point.objects.catalog
    }

    /// The catalog to bind queries with. A materialized view whose contents lack rows that this
    /// transaction has written, or that it has created itself, is a plain view in it.
    pub(crate) fn query_catalog(&self) -> Arc<Catalog> {
        let known = &self.point.objects.catalog;
        if self.own_catalog.is_none() && self.writes.is_empty() {
            return self.shared_catalog.clone();
        }
        let catalog = self.visible_catalog();
        let written = self.writes.tables();
        Arc::new(with_views_unfolded(catalog, |view| {
            known.by_id(view.id).is_none() || !base_tables(catalog, view.id).is_disjoint(&written)
        }))
    }

    /// The version of the catalog that plans may be kept for, unless this transaction sees one of its own.
    pub(crate) fn shared_catalog_version(&self) -> Option<u64> {
        (self.own_catalog.is_none() && self.writes.is_empty()).then_some(self.point.objects.version)
    }

    /// Whether a plan that was made for the shared catalog of this version and scans these relations holds
    /// here as well: what it scans exists and, unless it is a table, lacks no rows of this transaction.
    pub(crate) fn can_use(&self, version: Option<u64>, scanned: &[RelationId]) -> bool {
        let Objects { catalog, version: own, .. } = self.point.objects.as_ref();
        if self.own_catalog.is_some() || version != Some(*own) {
            return false;
        }
        let written = self.writes.tables();
        let is_complete = |relation: &RelationId| {
            let tables = base_tables(catalog, *relation);
            tables.contains(relation) || tables.is_disjoint(&written)
        };
        written.is_empty() || scanned.iter().all(is_complete)
    }

    /// Lets the statements from here on see the database as of a moment, or as it is now.
    pub(crate) fn read_as_of(&mut self, moment: Option<Moment>) {
        self.as_of = moment;
    }

    /// Whether a scan sees the present, this transaction's own changes included.
    pub(crate) fn sees_present(&self, scan: Scan) -> bool {
        scan.time == Time::Present && self.as_of.is_none()
    }

    /// What a query scans. `moments` are those that it names.
    pub(crate) async fn scan(&mut self, scan: Scan, moments: &[Moment]) -> Result<Vec<ZBatch>> {
        if !self.sees_present(scan) {
            self.check_has_past(scan.relation)?;
        }
        match (scan.time, self.as_of) {
            (Time::Present, None) => self.rows(scan.relation).await,
            (Time::Present, Some(moment)) => self.rows_at(scan.relation, moment).await,
            (Time::At(moment), _) => self.rows_at(scan.relation, moments[moment]).await,
            (Time::Changes { after, until }, as_of) => {
                let (after, until) =
                    (after.map(|moment| moments[moment]), until.map(|moment| moments[moment]));
                self.changes(scan.relation, after, until.or(as_of)).await
            }
            (Time::Versions { until }, as_of) => {
                self.versions(scan.relation, until.map(|moment| moments[moment]).or(as_of)).await
            }
        }
    }

    /// Every committed row of a stored relation as of a moment.
    async fn rows_at(&mut self, relation: RelationId, moment: Moment) -> Result<Vec<ZBatch>> {
        let epoch = self.epoch_at(relation, moment)?;
        if !self.point.objects.contents.contains_key(&relation) {
            return Ok(Vec::new());
        }
        self.point.snapshot_at(relation, epoch).await
    }

    /// The committed changes of a stored relation between two moments.
    async fn changes(
        &mut self,
        relation: RelationId,
        after: Option<Moment>,
        until: Option<Moment>,
    ) -> Result<Vec<ZBatch>> {
        let after = after.map(|moment| self.epoch_at(relation, moment)).transpose()?;
        let until = self.epoch_until(relation, until)?;
        let is_empty = after.is_some_and(|after| after >= until);
        if is_empty || !self.point.objects.contents.contains_key(&relation) {
            return Ok(Vec::new());
        }
        let changes = self.point.changes(relation, after.unwrap_or(0), until).await?;
        Ok(vec![ZBatch::inserts(changes)])
    }

    /// The committed versions of the rows of a stored relation until a moment.
    async fn versions(&mut self, relation: RelationId, until: Option<Moment>) -> Result<Vec<ZBatch>> {
        let until = self.epoch_until(relation, until)?;
        if !self.point.objects.contents.contains_key(&relation) {
            return Ok(Vec::new());
        }
        Ok(vec![self.point.versions(relation, until).await?])
    }

    /// The epoch of the moment until which a relation is read, or of the present.
    fn epoch_until(&mut self, relation: RelationId, until: Option<Moment>) -> Result<Epoch> {
        match until {
            Some(moment) => self.epoch_at(relation, moment),
            None => Ok(self.present(relation)),
        }
    }

    /// The epoch of a moment at which a relation is read. The past does not change, so that only reads of the
    /// present are remembered.
    fn epoch_at(&mut self, relation: RelationId, moment: Moment) -> Result<Epoch> {
        let epoch = epoch_at(moment, self.point.epoch)?;
        if epoch == self.point.epoch {
            return Ok(self.present(relation));
        }
        Ok(epoch)
    }

    /// The epoch of the present, at which a relation is read.
    fn present(&mut self, relation: RelationId) -> Epoch {
        for table in base_tables(&self.point.objects.catalog, relation) {
            self.reads.all(table);
        }
        self.point.epoch
    }

    /// Every row of a stored relation.
    pub(crate) async fn rows(&mut self, relation: RelationId) -> Result<Vec<ZBatch>> {
        if let Some(sequence) = self.visible_catalog().by_id(relation)
            && let Some((_, counter)) = sequence_rows::parts(sequence)
        {
            // Where it stands now: a sequence takes no part in transactions.
            return Ok(vec![sequence_rows::row(sequence, counter.position(), counter.ahead())]);
        }
        self.present(relation);
        let deltas = self.writes.deltas(relation);
        if !self.point.objects.contents.contains_key(&relation) {
            return Ok(overlay(Vec::new(), deltas));
        }
        Ok(overlay(self.point.snapshot(relation).await?, deltas))
    }

    /// Bytes that a relation's contents hold, once it is complete up to what this transaction sees; 0 if the transaction has
    /// created it.
    pub(crate) async fn bytes_when_complete(&self, relation: RelationId) -> Result<usize> {
        if !self.point.objects.contents.contains_key(&relation) {
            return Ok(0);
        }
        Ok(self.point.contents_when_complete(relation).await?.bytes())
    }

    /// The rows of a table that have one of these keys: in its primary key, or in columns that are unique.
    pub(crate) fn rows_by_key(
        &mut self,
        table: RelationId,
        key: &[usize],
        keys: Vec<ArrayRef>,
    ) -> Result<Vec<ZBatch>> {
        let own = self.writes.deltas_by_key(table, key, &keys);
        let found = self.committed_by_key(table, key, &keys)?;
        let Some(found) = found else {
            return Ok(own.map_or_else(Vec::new, |delta| overlay(Vec::new(), &[delta])));
        };
        self.reads.point(table, key.to_vec(), keys, found.clone());
        let found = ZBatch::inserts(found);
        Ok(match own {
            Some(delta) => overlay(vec![found], &[delta]),
            None => vec![found],
        })
    }

    /// The rows of a materialized view that have one of these keys.
    pub(crate) async fn rows_of_view_by_key(
        &mut self,
        view: RelationId,
        keys: &[ArrayRef],
    ) -> Result<Vec<ZBatch>> {
        let epoch = self.present(view);
        let contents = self.point.contents_when_complete(view).await?;
        contents.check(epoch)?;
        Ok(vec![ZBatch::inserts(contents.lookup(keys, Some(epoch)).rows)])
    }

    /// What a table that was there when the transaction began held then of these keys.
    fn committed_by_key(
        &self,
        table: RelationId,
        key: &[usize],
        keys: &[ArrayRef],
    ) -> Result<Option<RecordBatch>> {
        let objects = &self.point.objects;
        let Some(relation) = objects.catalog.by_id(table) else { return Ok(None) };
        let found = objects.lookup(relation, key, keys, Some(self.point.epoch));
        if found.is_some() || !objects.contents.contains_key(&table) {
            return Ok(found);
        }
        // The key is one that this transaction has declared: its index is there once that is committed.
        let rows = objects.contents[&table].snapshot(self.point.epoch)?;
        let mut index = RowIndex::new(key.to_vec());
        rows.into_iter().for_each(|rows| index.push(rows));
        let found = index.find(keys);
        Ok(Some(
            found.map_or_else(|| RecordBatch::new_empty(relation.schema()), |found| found.rows().clone()),
        ))
    }

    /// How many rows a table has of each of these keys in the columns `key`. That it is so at the commit is for the
    /// sequencer to see to.
    pub(crate) fn count_by_key(
        &mut self,
        table: &Relation,
        key: &[usize],
        keys: &[ArrayRef],
    ) -> Result<HashMap<OwnedRow, i64>> {
        let mut counts = HashMap::new();
        let objects = &self.point.objects;
        let known = objects.catalog.by_id(table.id);
        let found = known.and_then(|known| objects.lookup_keys(known, key, keys, Some(self.point.epoch)));
        if let Some(found) = found {
            foreign_keys::count(&mut counts, &found, |_| 1);
        } else if let Some(found) = self.committed_by_key(table.id, key, keys)? {
            foreign_keys::count(&mut counts, &constraints::columns(&found, key), |_| 1);
        }
        if let Some(delta) = self.writes.deltas_by_key(table.id, key, keys) {
            let written = constraints::columns(delta.rows(), key);
            foreign_keys::count(&mut counts, &written, |row| delta.weights().value(row));
        }
        Ok(counts)
    }

    /// Adds a change to a table. `check_keys`: that the rows, all inserted, leave the keys unique is checked as far as
    /// this transaction can see; the sequencer checks it again.
    pub(crate) fn write(&mut self, table: &Relation, delta: ZBatch, check_keys: bool) -> Result<()> {
        if check_keys {
            table.keys().try_for_each(|key| self.check_unique(table, key, &delta))?;
        }
        self.writes.push(table.id, delta);
        Ok(())
    }

    /// Notes what a statement has written, for foreign keys.
    pub(crate) fn note_change(&mut self, change: Change) {
        let catalog = self.visible_catalog();
        let table = catalog.by_id(change.table);
        let references = table.is_some_and(|table| !table.rules().foreign_keys.is_empty());
        if references || catalog.referencing(change.table).next().is_some() {
            self.changes.push(change);
        }
    }

    /// What was noted since this was asked last.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Fails with `23505` at the statement that writes a key twice, as PostgreSQL does.
    fn check_unique(&mut self, table: &Relation, key: Key<'_>, delta: &ZBatch) -> Result<()> {
        let delta = &without_null_keys(delta, key.columns);
        if delta.is_empty() {
            return Ok(());
        }
        let keys = constraints::columns(delta.rows(), key.columns);
        let mut rows = vec![delta.clone()];
        if let Some(found) = self.committed_by_key(table.id, key.columns, &keys)? {
            rows.extend((found.num_rows() > 0).then(|| ZBatch::inserts(found)));
        }
        rows.extend(self.writes.deltas_by_key(table.id, key.columns, &keys));
        if rows.len() == 1 && delta.is_insert_only() {
            return constraints::check_distinct(table, key, delta);
        }
        let after = consolidate(&ZBatch::concat(delta.schema(), &rows));
        let (after, _) = foreign_keys::sides(&after);
        constraints::check_distinct(table, key, &after)
    }

    /// Replaces what exists from the next statement on. What is new belongs to who runs the statement.
    pub(crate) fn set_catalog(&mut self, mut catalog: Catalog) {
        catalog.own_new(self.visible_catalog(), self.identity.current);
        self.own_catalog = Some(Arc::new(catalog));
    }

    /// Drops the temporary objects of a session.
    pub(crate) fn drop_temporary(&mut self, schema: SchemaId) {
        if self.visible_catalog().has_schema(schema) {
            let mut catalog = self.catalog();
            catalog.drop_temporary(schema);
            self.own_catalog = Some(Arc::new(catalog));
        }
    }

    /// What has been done by now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { catalog: self.own_catalog.clone(), writes: self.writes.mark() }
    }

    /// Undoes what has been done since. What has been read since stays read: the client knows of it.
    pub(crate) fn return_to(&mut self, mark: &Mark) {
        self.own_catalog.clone_from(&mark.catalog);
        self.writes.return_to(&mark.writes);
    }

    /// Does what ON COMMIT says. Returns the tables whose rows go.
    fn end_temporary(&mut self) -> Vec<RelationId> {
        let catalog = self.visible_catalog();
        let Some(schema) = self.path.temporary().filter(|schema| catalog.has_schema(*schema)) else {
            return Vec::new();
        };
        let dropped = catalog.on_commit(schema, OnCommit::Drop).collect::<Vec<_>>();
        let emptied = catalog.on_commit(schema, OnCommit::DeleteRows).collect::<Vec<_>>();
        if !dropped.is_empty() {
            let mut catalog = self.catalog();
            catalog.drop_with_dependents(&dropped);
            self.own_catalog = Some(Arc::new(catalog));
        }
        emptied
    }

    /// Fails with `0A000` if a relation has no past.
    fn check_has_past(&self, relation: RelationId) -> Result<()> {
        match self.visible_catalog().by_id(relation) {
            Some(relation) if relation.in_schema.is_temporary() => {
                let what = format!("the past of temporary {} \"{}\"", relation.kind_name(), relation.name);
                Err(SqlError::unsupported(what))
            }
            _ => Ok(()),
        }
    }

    /// What to ask of the sequencer, or `None` if nothing was changed.
    pub(crate) fn into_commit(mut self, acknowledged: Acknowledged) -> Option<Commit> {
        if self.writes.is_empty() && self.own_catalog.is_none() {
            return None;
        }
        let emptied = self.end_temporary();
        let writes = self.writes.into_deltas().into_iter().filter(|(table, _)| !emptied.contains(table));
        let catalog = self.own_catalog.as_deref().map(Catalog::for_stored);
        let exists =
            |table: &RelationId| catalog.as_ref().is_none_or(|catalog| catalog.by_id(*table).is_some());
        Some(Commit {
            as_of: self.point.epoch,
            catalog_version: self.point.objects.version,
            bound_to: self.own_catalog.unwrap_or_else(|| self.point.objects.catalog.clone()),
            reads: self.reads,
            writes: writes.filter(|(table, _)| exists(table)).collect(),
            catalog,
            acknowledged,
        })
    }
}

/// A catalog with names looked up along a path: itself where that makes no difference.
pub(crate) fn along(catalog: &Arc<Catalog>, path: &Arc<SearchPath>) -> Arc<Catalog> {
    let is_same =
        catalog.path() == path || (catalog.is_as_stored(path) && catalog.is_as_stored(catalog.path()));
    if is_same { catalog.clone() } else { Arc::new(catalog.along(path.clone())) }
}
