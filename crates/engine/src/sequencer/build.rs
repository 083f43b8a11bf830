//! Views that are maintained before a catalog has them, so that they are up to date when it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use springtide_catalog::Relation;
use springtide_state as state;
use springtide_types::{Epoch, RelationId};
use tokio::sync::oneshot;

use super::{Request, Sequencer, State, shutting_down};
use crate::commit::CommitError;

/// Views to build, for a catalog that is yet to be committed.
pub(crate) struct ToBuild {
    /// The version of the catalog that the one to be committed was made from.
    pub(crate) catalog_version: u64,
    /// The first identity that the catalog to be committed has not given out.
    pub(crate) next_id: RelationId,
    /// In the order of their creation.
    pub(crate) views: Vec<Arc<Relation>>,
}

/// Views that are being built.
pub(crate) struct Built {
    /// They are up to date once they are complete up to here.
    pub(crate) as_of: Epoch,
    pub(crate) contents: Vec<Arc<state::Relation>>,
    /// The version of the catalog in which their identities are taken.
    pub(crate) catalog_version: u64,
}

impl Sequencer {
    /// Begins to maintain views that no catalog has yet.
    pub(crate) async fn build(&self, views: ToBuild) -> Result<Built, CommitError> {
        let (reply, answer) = oneshot::channel();
        let gone = || CommitError::Failed(shutting_down());
        self.requests.send(Request::Build(views, reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Stops maintaining those of these views that no catalog has.
    pub(crate) fn discard(&self, views: Vec<RelationId>) {
        // If nobody receives, nothing is maintained any more.
        let _ = self.requests.send(Request::Discard(views));
    }
}

impl State {
    /// Takes the identities of the views, and starts them as of an epoch of its own. Other DDL that has begun before would give
    /// out the same identities: it is in conflict with the version that this makes.
    pub(super) fn build(&mut self, to_build: ToBuild) -> Result<Built, CommitError> {
        if to_build.catalog_version != self.objects.version {
            return Err(CommitError::Conflict);
        }
        let epoch = self.begin_group().epoch;
        let mut catalog = (*self.objects.catalog).clone();
        catalog.skip_to(to_build.next_id);
        self.objects.catalog = Arc::new(catalog);
        self.objects.version += 1;
        let contents = to_build.views.iter().map(|view| {
            let contents = self.objects.create_view_contents(view, self.worker_count);
            if self.past.is_some() {
                contents.record_changes(epoch - 1);
            }
            contents
        });
        let contents = contents.collect();
        self.send(epoch, BTreeMap::new());
        self.publish(epoch, Some(Arc::new(self.objects.clone())));
        self.start_views(&to_build.views, epoch);
        Ok(Built { as_of: epoch, contents, catalog_version: self.objects.version })
    }

    /// Ends those of these views that no catalog has.
    pub(super) fn discard(&mut self, views: &[RelationId]) {
        let catalog = self.objects.catalog.clone();
        for view in views.iter().rev().filter(|view| catalog.by_id(**view).is_none()) {
            self.end_contents(*view, 0);
        }
        self.reads.replace_objects(Arc::new(self.objects.clone()));
    }
}
