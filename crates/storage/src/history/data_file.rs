//! Data files: a piece of a change log as Parquet.
//!
//! The columns are those of the relation, then `_epoch` (timestamptz) and `_weight` (int64); the rows are sorted by
//! `_epoch`. Parquet has no intervals as SQL has them: they become a struct of months, days and nanoseconds.

use std::panic::resume_unwind;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, RecordBatch,
    RecordBatchOptions, StructArray,
};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use springtide_types::{Changes, Epoch, ZBatch};

/// Rows of a row group, by whose statistics a reader can skip it.
const ROW_GROUP: usize = 128 * 1024;
/// Rows of a batch as it is read.
const BATCH: usize = 64 * 1024;

/// The bytes of a file with these changes.
pub(super) fn encode(changes: &Changes) -> Result<Vec<u8>, ParquetError> {
    let rows = changes.delta().rows();
    let mut columns = rows.columns().iter().map(to_stored).collect::<Vec<_>>();
    columns.push(Arc::new(changes.epochs().clone()));
    columns.push(Arc::new(changes.delta().weights().clone()));
    let schema = stored_schema(&rows.schema());
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    writer.into_inner()
}

/// The changes in the bytes of a file that are later than `after` and not later than `until`, in pieces; their rows have
/// this schema. Row groups without any are skipped; the others are divided among threads.
pub(super) fn decode(
    bytes: &Bytes,
    schema: &SchemaRef,
    after: Epoch,
    until: Epoch,
) -> Result<Vec<Changes>, ParquetError> {
    let metadata = ArrowReaderMetadata::load(bytes, ArrowReaderOptions::new())?;
    let groups = metadata.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| may_overlap(group, after, until));
    let groups = groups.map(|(number, _)| number).collect::<Vec<_>>();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(groups.len()).max(1);
    let (own, others) = groups.split_at(groups.len().div_ceil(threads));
    let read = |groups: &[usize]| {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
        let mut pieces = read_pieces(reader.with_row_groups(groups.to_vec()), schema)?;
        pieces.iter_mut().for_each(|piece| *piece = piece.between(after, until));
        Ok::<_, ParquetError>(pieces)
    };
    let parts = std::thread::scope(|scope| {
        let others = others.chunks(own.len().max(1)).map(|groups| scope.spawn(|| read(groups)));
        let others = others.collect::<Vec<_>>();
        let own = read(own);
        let others = others.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(own).chain(others).collect::<Result<Vec<_>, _>>()
    });
    Ok(parts?.into_iter().flatten().filter(|piece| !piece.is_empty()).collect())
}

/// Whether a row group may have changes later than `after` and not later than `until`.
fn may_overlap(group: &RowGroupMetaData, after: Epoch, until: Epoch) -> bool {
    // The column before the last one, whatever the nested ones before it come to.
    let epochs = group.num_columns().checked_sub(2).and_then(|column| group.column(column).statistics());
    let Some(Statistics::Int64(epochs)) = epochs else { return true };
    let first = epochs.min_opt().is_none_or(|first| *first as Epoch <= until);
    first && epochs.max_opt().is_none_or(|last| *last as Epoch > after)
}

fn read_pieces(
    reader: ParquetRecordBatchReaderBuilder<Bytes>,
    schema: &SchemaRef,
) -> Result<Vec<Changes>, ParquetError> {
    let mut pieces = Vec::new();
    for batch in reader.with_batch_size(BATCH).build()? {
        let batch = batch?;
        let expected = schema.fields().len();
        if batch.num_columns() != expected + 2 {
            return Err(ParquetError::General(format!("it has {} columns", batch.num_columns())));
        }
        let (columns, times) = batch.columns().split_at(expected);
        let columns = columns.iter().zip(schema.fields()).map(|(column, field)| from_stored(column, field));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let rows = RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options)?;
        let weights = times[1].as_primitive::<Int64Type>().clone();
        let epochs = times[0].as_primitive::<TimestampMicrosecondType>().clone();
        pieces.push(Changes::new(ZBatch::new(rows, weights), epochs));
    }
    Ok(pieces)
}

fn stored_schema(schema: &Schema) -> SchemaRef {
    let mut fields = schema.fields().iter().map(stored_field).collect::<Vec<_>>();
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    fields.push(Arc::new(Field::new("_epoch", utc, false)));
    fields.push(Arc::new(Field::new("_weight", DataType::Int64, false)));
    Arc::new(Schema::new(fields))
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(IntervalUnit::MonthDayNano))
}

/// The type that stands for intervals, in arrays too.
fn stored_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::List(item) => Some(DataType::List(changed(item, stored_type(item.data_type())?))),
        other => is_interval(other).then(|| DataType::Struct(interval_fields())),
    }
}

fn changed(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

fn stored_field(field: &FieldRef) -> FieldRef {
    stored_type(field.data_type()).map_or_else(|| field.clone(), |stored| changed(field, stored))
}

fn interval_fields() -> Fields {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, false);
    Fields::from(vec![
        field("months", DataType::Int32),
        field("days", DataType::Int32),
        field("nanoseconds", DataType::Int64),
    ])
}

fn to_stored(column: &ArrayRef) -> ArrayRef {
    if let Some(DataType::List(stored)) = stored_type(column.data_type()) {
        return with_elements(column.as_list(), stored, to_stored(column.as_list::<i32>().values()));
    }
    if !is_interval(column.data_type()) {
        return column.clone();
    }
    let intervals = column.as_primitive::<IntervalMonthDayNanoType>();
    let values = intervals.values();
    let parts: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(values.iter().map(|value| value.months))),
        Arc::new(Int32Array::from_iter_values(values.iter().map(|value| value.days))),
        Arc::new(Int64Array::from_iter_values(values.iter().map(|value| value.nanoseconds))),
    ];
    Arc::new(StructArray::new(interval_fields(), parts, intervals.nulls().cloned()))
}

fn with_elements(lists: &ListArray, item: FieldRef, elements: ArrayRef) -> ArrayRef {
    Arc::new(ListArray::new(item, lists.offsets().clone(), elements, lists.nulls().cloned()))
}

fn from_stored(column: &ArrayRef, field: &Field) -> ArrayRef {
    match field.data_type() {
        DataType::List(item) if is_interval(item.data_type()) => {
            let lists = column.as_list::<i32>();
            return with_elements(lists, item.clone(), from_stored(lists.values(), item));
        }
        other if !is_interval(other) => return column.clone(),
        _ => {}
    }
    let parts = column.as_struct();
    let months = parts.column(0).as_primitive::<Int32Type>().values().iter();
    let days = parts.column(1).as_primitive::<Int32Type>().values().iter();
    let nanoseconds = parts.column(2).as_primitive::<Int64Type>().values().iter();
    let values = months
        .zip(days)
        .zip(nanoseconds)
        .map(|((months, days), nanoseconds)| IntervalMonthDayNano::new(*months, *days, *nanoseconds));
    let values = values.collect::<Vec<_>>();
    Arc::new(IntervalMonthDayNanoArray::new(values.into(), parts.nulls().cloned()))
}
