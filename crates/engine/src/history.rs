//! What a transaction's client has asked and been told, so that an overtaken transaction can be run again
//! and only fails if it would have been told something else.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use springtide_catalog::SearchPath;
use springtide_types::Result;
use springtide_types::hash::hash_columns;

use crate::moment::Moment;
use crate::prepared::Prepared;
use crate::response::Response;

/// The statements of a transaction and their answers.
#[derive(Default)]
pub(crate) struct History {
    steps: Vec<Step>,
    unrepeatable: bool,
}

/// A statement and what it answered.
pub(crate) struct Step {
    pub(crate) prepared: Prepared,
    pub(crate) parameters: Vec<ScalarValue>,
    /// The moment that it saw instead of the present.
    pub(crate) as_of: Option<Moment>,
    /// Where it looked names up.
    pub(crate) path: Arc<SearchPath>,
    digest: Arc<Mutex<Digest>>,
}

impl Step {
    pub(crate) fn digest(&self) -> Digest {
        self.digest.lock().clone()
    }
}

impl History {
    pub(crate) fn push(
        &mut self,
        prepared: Prepared,
        parameters: Vec<ScalarValue>,
        (as_of, path): (Option<Moment>, Arc<SearchPath>),
        digest: Arc<Mutex<Digest>>,
    ) {
        self.steps.push(Step { prepared, parameters, as_of, path, digest });
    }

    /// Notes a statement whose input is not kept.
    pub(crate) fn push_unrepeatable(&mut self) {
        self.unrepeatable = true;
    }

    /// The statements to run again, or `None` if that can't be done.
    pub(crate) fn steps(&self) -> Option<&[Step]> {
        (!self.unrepeatable).then_some(self.steps.as_slice())
    }
}

/// An answer in short: its tag, and the number and sum of the hashes of its rows, whose order is free.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Digest {
    tag: String,
    rows: usize,
    hash: u64,
}

impl Digest {
    fn add(&mut self, batch: &arrow::array::RecordBatch) {
        self.rows += batch.num_rows();
        for hash in hash_columns(batch.columns(), batch.num_rows()) {
            self.hash = self.hash.wrapping_add(hash);
        }
    }

    /// The digest of an answer that nobody else reads.
    pub(crate) async fn of(response: Response) -> Result<Digest> {
        let (response, digest) = digested(response);
        if let Response::Rows { batches, .. } | Response::CopyOut { batches, .. } = response {
            batches.try_for_each(|_| async { Ok(()) }).await?;
        }
        Ok(digest.map(|digest| digest.lock().clone()).unwrap_or_default())
    }
}

/// The same answer, whose digest grows as its rows are read; no digest for a COPY.
pub(crate) fn digested(response: Response) -> (Response, Option<Arc<Mutex<Digest>>>) {
    let digest = Arc::new(Mutex::new(Digest::default()));
    let response = match response {
        Response::Rows { columns, batches, tag } => {
            let seen = digest.clone();
            let batches = batches.inspect_ok(move |batch| seen.lock().add(batch)).boxed();
            Response::Rows { columns, batches, tag }
        }
        Response::Complete { tag } => {
            digest.lock().tag.clone_from(&tag);
            Response::Complete { tag }
        }
        Response::CopyOut { columns, batches, format } => {
            let seen = digest.clone();
            let batches = batches.inspect_ok(move |batch| seen.lock().add(batch)).boxed();
            Response::CopyOut { columns, batches, format }
        }
        Response::CopyIn { .. } => return (response, None),
        Response::Empty => Response::Empty,
    };
    (response, Some(digest))
}
