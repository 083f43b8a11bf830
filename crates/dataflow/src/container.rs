use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use springtide_types::ZBatch;
use std::io::Write;
use std::sync::Arc;
use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::dataflow::channels::ContainerBytes;

/// A delta as timely's container. It is empty only as timely's default, and after its rows were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta(Option<ZBatch>);

impl Delta {
    /// Takes the rows out.
    pub(crate) fn take(&mut self) -> Option<ZBatch> {
        self.0.take()
    }

    /// Rows and weights as an IPC stream, padded to the eight bytes that timely aligns to.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(rows) = &self.0 {
            write_stream(rows, &mut bytes).expect("rows of SQL types have an IPC form");
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }
}

impl From<ZBatch> for Delta {
    fn from(rows: ZBatch) -> Delta {
        Delta(Some(rows))
    }
}

/// Progress tracking depends on this count: whatever moves a delta must preserve it.
impl Accountable for Delta {
    fn record_count(&self) -> i64 {
        self.0.as_ref().map_or(0, |rows| rows.len() as i64)
    }
}

/// Used only between processes: within one, deltas move by pointer.
impl ContainerBytes for Delta {
    fn from_bytes(bytes: Bytes) -> Delta {
        if bytes.is_empty() {
            return Delta(None);
        }
        Delta(Some(read_stream(&bytes).expect("peers run the same version")))
    }

    fn length_in_bytes(&self) -> usize {
        self.encode().len()
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        writer.write_all(&self.encode()).expect("timely allocates as much as the length says");
    }
}

/// The weights travel as the last column, which is found by position and so cannot collide by name.
fn write_stream(rows: &ZBatch, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("weight", DataType::Int64, false)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(rows.weights().clone()));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut writer = StreamWriter::try_new(bytes, &batch.schema())?;
    writer.write(&batch)?;
    writer.finish()
}

fn read_stream(bytes: &[u8]) -> Result<ZBatch, ArrowError> {
    let mut batches = StreamReader::try_new(bytes, None)?;
    let batch = batches.next().ok_or_else(|| ArrowError::IpcError("a delta is one batch".into()))??;
    let (schema, mut columns, length) = batch.into_parts();
    let weights = columns.pop().ok_or_else(|| ArrowError::IpcError("a delta has weights".into()))?;
    let schema = Arc::new(Schema::new(schema.fields()[..columns.len()].to_vec()));
    let options = RecordBatchOptions::new().with_row_count(Some(length));
    let rows = RecordBatch::try_new_with_options(schema, columns, &options)?;
    Ok(ZBatch::new(rows, weights.as_primitive::<Int64Type>().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};

    fn round_trip(delta: &Delta) -> Delta {
        let mut bytes = Vec::new();
        delta.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), delta.length_in_bytes());
        assert_eq!(bytes.len() % 8, 0);
        let mut bytes = timely::bytes::arc::BytesMut::from(bytes);
        let length = bytes.len();
        Delta::from_bytes(bytes.extract_to(length))
    }

    #[test]
    fn travels_between_processes() {
        let name: ArrayRef = Arc::new(StringArray::from(vec![Some("ebb"), None, Some("flow")]));
        let rows = RecordBatch::try_from_iter_with_nullable([("name", name, true)]).unwrap();
        let sent = ZBatch::new(rows, Int64Array::from(vec![1, -2, 3])).slice(1, 2);
        let received = round_trip(&Delta::from(sent.clone())).take().unwrap();
        assert_eq!(received.rows(), sent.rows());
        assert_eq!(received.weights(), sent.weights());
    }

    #[test]
    fn keeps_the_number_of_rows_without_columns() {
        let options = RecordBatchOptions::new().with_row_count(Some(2));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        let received = round_trip(&Delta::from(ZBatch::inserts(rows)));
        assert_eq!(received.record_count(), 2);
        assert!(round_trip(&Delta::default()).is_empty());
    }
}
