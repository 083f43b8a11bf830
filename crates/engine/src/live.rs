use std::fmt;
use std::sync::Arc;

use springtide_catalog::system::{self, SourceFacts};

use crate::sources::Sources;

/// What queries may ask of the running database.
pub(crate) struct Live {
    sources: Arc<Sources>,
}

impl Live {
    pub(crate) fn new(sources: Arc<Sources>) -> Live {
        Live { sources }
    }
}

impl system::Live for Live {
    fn sources(&self) -> Vec<SourceFacts> {
        self.sources.facts()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
