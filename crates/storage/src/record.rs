//! Records: the payload of a frame, one for each epoch of the log.
//!
//! ```text
//! epoch                       u64, little endian, as all numbers
//! length of the catalog part  u32, then its bytes; 0 if the epoch changed no catalog
//! number of deltas            u32, then for each:
//!   relation                  u64
//!   length                    u32
//!   Arrow IPC stream          the rows, with their weights as a last column `_weight` (int64)
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use springtide_types::{Epoch, RelationId, ZBatch};

/// All that one epoch changed.
#[derive(Clone, Debug)]
pub struct Record {
    /// When.
    pub epoch: Epoch,
    /// What it did to the catalog, in the engine's own terms; empty if nothing.
    pub catalog: Vec<u8>,
    /// What it did to tables, in the order in which it was done.
    pub deltas: Vec<(RelationId, ZBatch)>,
}

impl Record {
    /// The bytes of the record.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ArrowError> {
        let mut bytes = self.epoch.to_le_bytes().to_vec();
        push_part(&mut bytes, &self.catalog);
        bytes.extend_from_slice(&(self.deltas.len() as u32).to_le_bytes());
        for (relation, delta) in &self.deltas {
            bytes.extend_from_slice(&relation.0.to_le_bytes());
            push_part(&mut bytes, &encode_delta(delta)?);
        }
        if u32::try_from(bytes.len()).is_err() {
            let message = "a commit is limited to 4 GiB of changes";
            return Err(ArrowError::InvalidArgumentError(message.to_owned()));
        }
        Ok(bytes)
    }

    /// The record with these bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Record, String> {
        let mut bytes = Bytes(bytes);
        let epoch = bytes.u64()?;
        let catalog = bytes.part()?.to_vec();
        let count = bytes.u32()?;
        let mut deltas = Vec::new();
        for _ in 0..count {
            let relation = RelationId(bytes.u64()?);
            let delta = decode_delta(bytes.part()?).map_err(|error| error.to_string())?;
            deltas.push((relation, delta));
        }
        if bytes.0.is_empty() {
            Ok(Record { epoch, catalog, deltas })
        } else {
            Err("bytes are left over".to_owned())
        }
    }
}

fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    // A part that is too long makes the record too long, which is then refused.
    bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
    bytes.extend_from_slice(part);
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("a part is missing")?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("4 bytes were taken")))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("8 bytes were taken")))
    }

    fn part(&mut self) -> Result<&'a [u8], String> {
        let length = self.u32()?;
        self.take(length as usize)
    }
}

fn encode_delta(delta: &ZBatch) -> Result<Vec<u8>, ArrowError> {
    let fields = delta.schema();
    let weight = Arc::new(Field::new("_weight", DataType::Int64, false));
    let schema = Arc::new(Schema::new(fields.fields().iter().cloned().chain([weight]).collect::<Vec<_>>()));
    let weights: ArrayRef = Arc::new(delta.weights().clone());
    let columns = delta.columns().iter().cloned().chain([weights]).collect();
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    writer.into_inner()
}

fn decode_delta(bytes: &[u8]) -> Result<ZBatch, ArrowError> {
    let missing = |what: &str| ArrowError::IpcError(format!("{what} is missing"));
    let mut reader = StreamReader::try_new(bytes, None)?;
    let batch = reader.next().ok_or_else(|| missing("the batch"))??;
    let last = batch.num_columns().checked_sub(1).ok_or_else(|| missing("the column of weights"))?;
    let weights = batch.column(last).as_primitive_opt::<Int64Type>();
    let weights = weights.filter(|weights| weights.null_count() == 0);
    let weights = weights.ok_or_else(|| missing("the column of weights"))?.clone();
    let rows = batch.project(&(0..last).collect::<Vec<_>>())?;
    Ok(ZBatch::new(rows, weights))
}
