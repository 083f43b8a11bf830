//! State files: what the operators of a view keep at an epoch, as Arrow.
//!
//! A file is a sequence of Arrow IPC streams, each padded to eight bytes, whose schemas say in their metadata whose batches
//! they hold: of which `worker`, which `operator`, and which `section` of its state.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use springtide_types::Rows;

/// A new file is begun when one has so many bytes.
const FILE_BYTES: usize = 64 << 20;
const ALIGNMENT: usize = 8;

/// A piece of the state of one operator on one worker: batches of one schema.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSection {
    /// Which worker.
    pub worker: usize,
    /// Which operator of the view.
    pub operator: usize,
    /// Which section of its state.
    pub section: usize,
    /// The rows.
    pub batches: Vec<Rows>,
}

/// Hands on the bytes of one file after the other. A section may be divided between files.
pub(super) fn encode<E>(
    sections: &[StateSection],
    fail: impl Fn(ArrowError) -> E,
    mut put: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Vec::new();
    for section in sections {
        let mut batches = section.batches.as_slice();
        while !batches.is_empty() {
            let written = append(section, batches, &mut bytes).map_err(&fail)?;
            batches = &batches[written..];
            if bytes.len() >= FILE_BYTES {
                put(std::mem::take(&mut bytes))?;
            }
        }
    }
    if bytes.is_empty() { Ok(()) } else { put(bytes) }
}

/// Appends a stream of the first of some batches, until the file is full. Returns how many.
fn append(section: &StateSection, batches: &[Rows], bytes: &mut Vec<u8>) -> Result<usize, ArrowError> {
    let mut writer = StreamWriter::try_new(&mut *bytes, &labelled(section, &batches[0].schema()))?;
    let mut written = 0;
    while written < batches.len() && writer.get_ref().len() < FILE_BYTES {
        // A slice, so that what is gathered here is not kept with the rows.
        writer.write(batches[written].slice(0, batches[written].len()).batch())?;
        written += 1;
    }
    writer.finish()?;
    drop(writer);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    Ok(written)
}

/// The sections in the bytes of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<StateSection>, ArrowError> {
    let mut sections = Vec::new();
    let mut rest = Cursor::new(bytes);
    while (rest.position() as usize) < bytes.len() {
        let mut reader = StreamReader::try_new(&mut rest, None)?;
        let schema = reader.schema();
        let batches = reader.by_ref().map(|batch| batch.map(Rows::from)).collect::<Result<Vec<_>, _>>()?;
        let label = |name: &str| {
            let label = schema.metadata().get(name).and_then(|label| label.parse().ok());
            label.ok_or_else(|| ArrowError::IpcError(format!("a stream does not name its {name}")))
        };
        let (worker, operator, section) = (label("worker")?, label("operator")?, label("section")?);
        sections.push(StateSection { worker, operator, section, batches });
        rest.set_position(rest.position().next_multiple_of(ALIGNMENT as u64));
    }
    Ok(sections)
}

fn labelled(section: &StateSection, schema: &Schema) -> SchemaRef {
    let labels = [("worker", section.worker), ("operator", section.operator), ("section", section.section)];
    let labels = labels.map(|(name, label)| (name.to_owned(), label.to_string()));
    Arc::new(schema.clone().with_metadata(HashMap::from(labels)))
}
