//! Views that take the place of others, and the views on them, are built beside those before the commit that switches from the
//! ones to the others. Until then the old ones are read; from its epoch on the new ones, which are complete by then.

use std::collections::HashSet;
use std::sync::Arc;

use springtide_catalog::{Catalog, Relation, RelationKind};
use springtide_types::RelationId;

use crate::commit::{Commit, CommitError};
use crate::reads::Reads;
use crate::sequencer::{Sequencer, ToBuild};

/// The views that are being built for a commit. They end when this is dropped and no catalog has them.
pub(crate) struct Replacing {
    sequencer: Sequencer,
    views: Vec<RelationId>,
}

impl Replacing {
    /// Builds the views that a commit puts in the place of others, and waits until they are up to date.
    pub(crate) async fn build(
        sequencer: &Sequencer,
        reads: &Reads,
        commit: &mut Commit,
    ) -> Result<Option<Replacing>, CommitError> {
        let Some(catalog) = &commit.catalog else { return Ok(None) };
        let views = replacing(&reads.objects().catalog, catalog);
        if views.is_empty() {
            return Ok(None);
        }
        let ids = views.iter().map(|view| view.id).collect();
        let replacing = Replacing { sequencer: sequencer.clone(), views: ids };
        let (catalog_version, next_id) = (commit.catalog_version, catalog.next_id());
        let built = sequencer.build(ToBuild { catalog_version, next_id, views }).await?;
        for contents in &built.contents {
            reads.wait_until(|| contents.frontier() > built.as_of).await;
        }
        commit.catalog_version = built.catalog_version;
        Ok(Some(replacing))
    }
}

impl Drop for Replacing {
    fn drop(&mut self) {
        self.sequencer.discard(std::mem::take(&mut self.views));
    }
}

/// The materialized views that are new in a catalog, have the names of others in the one before, and read only what is there
/// already or is such a view itself; in the order of their creation.
fn replacing(before: &Catalog, after: &Catalog) -> Vec<Arc<Relation>> {
    let mut new = after.relations().filter(|view| before.by_id(view.id).is_none()).collect::<Vec<_>>();
    new.sort_by_key(|view| view.id);
    let is_view = |relation: &Relation| matches!(relation.kind, RelationKind::MaterializedView { .. });
    let mut known = HashSet::new();
    let mut replacing = Vec::new();
    for view in new {
        let RelationKind::MaterializedView { plan, .. } = &view.kind else { continue };
        let replaces = before.find(&view.name).is_some_and(|old| is_view(old));
        if replaces && plan.sources().iter().all(|id| before.by_id(*id).is_some() || known.contains(id)) {
            known.insert(view.id);
            replacing.push(view.clone());
        }
    }
    replacing
}
