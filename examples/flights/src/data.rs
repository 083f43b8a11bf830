//! The Parquet files of the demo, which are part of the binary. `data/README.md` says where they come from.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int16Type, Int32Type, TimestampMillisecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use futures::SinkExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_postgres::Client;

use crate::Result;

/// A table that does not change during the year.
pub(crate) struct Dimension {
    /// What it is called.
    pub(crate) name: &'static str,
    parquet: &'static [u8],
}

/// All tables but `flights`.
pub(crate) const DIMENSIONS: [&Dimension; 4] = [
    &Dimension { name: "airlines", parquet: include_bytes!("../data/airlines.parquet") },
    &Dimension { name: "airports", parquet: include_bytes!("../data/airports.parquet") },
    &Dimension { name: "planes", parquet: include_bytes!("../data/planes.parquet") },
    &Dimension { name: "weather", parquet: include_bytes!("../data/weather.parquet") },
];

/// One flight as it went. Moments are milliseconds since 1970; delays are minutes.
pub(crate) struct Flight {
    pub(crate) id: i32,
    pub(crate) carrier: String,
    pub(crate) flight: i32,
    pub(crate) tailnum: Option<String>,
    pub(crate) origin: String,
    pub(crate) dest: String,
    pub(crate) distance: i32,
    pub(crate) sched_dep: i64,
    /// None: it was cancelled.
    pub(crate) dep_time: Option<i64>,
    pub(crate) dep_delay: Option<i32>,
    pub(crate) sched_arr: i64,
    /// None for one that departed: it was diverted and not heard of again.
    pub(crate) arr_time: Option<i64>,
    /// None for one that arrived: it arrived after a diversion.
    pub(crate) arr_delay: Option<i32>,
}

/// Copies a table to the server; says how many rows it has.
pub(crate) async fn load(client: &Client, table: &Dimension) -> Result<u64> {
    let sink = client.copy_in(&format!("COPY {} FROM STDIN", table.name)).await?;
    let mut sink = std::pin::pin!(sink);
    for batch in read(table.parquet)? {
        sink.send(copy_text(&batch)?).await?;
    }
    Ok(sink.finish().await?)
}

/// All flights, by scheduled departure.
pub(crate) fn flights() -> Result<Vec<Flight>> {
    let mut flights = Vec::new();
    for batch in read(include_bytes!("../data/flights.parquet"))? {
        read_flights(&batch, &mut flights)?;
    }
    Ok(flights)
}

fn read(parquet: &'static [u8]) -> Result<Vec<RecordBatch>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(parquet))?;
    Ok(reader.with_batch_size(8192).build()?.collect::<Result<_, _>>()?)
}

/// The text format of COPY: a line a row, tabs between columns, `\N` for NULL.
fn copy_text(batch: &RecordBatch) -> Result<Bytes> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for (index, column) in columns.iter().enumerate() {
            text += if index == 0 { "" } else { "\t" };
            if batch.column(index).is_null(row) {
                text += "\\N";
            } else {
                let value = column.value(row).to_string();
                text += &value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n");
            }
        }
        text.push('\n');
    }
    Ok(text.into())
}

fn read_flights(batch: &RecordBatch, flights: &mut Vec<Flight>) -> Result<()> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("flights have no {name}"));
    let (carrier, tailnum) = (column("carrier")?.as_string::<i32>(), column("tailnum")?.as_string::<i32>());
    let (origin, dest) = (column("origin")?.as_string::<i32>(), column("dest")?.as_string::<i32>());
    let id = column("id")?.as_primitive::<Int32Type>();
    let int16 = |name| Ok::<_, String>(column(name)?.as_primitive::<Int16Type>());
    let (flight, distance) = (int16("flight")?, int16("distance")?);
    let (dep_delay, arr_delay) = (int16("dep_delay")?, int16("arr_delay")?);
    let moment = |name| Ok::<_, String>(column(name)?.as_primitive::<TimestampMillisecondType>());
    let (sched_dep, dep_time) = (moment("sched_dep")?, moment("dep_time")?);
    let (sched_arr, arr_time) = (moment("sched_arr")?, moment("arr_time")?);
    flights.extend((0..batch.num_rows()).map(|row| Flight {
        id: id.value(row),
        carrier: carrier.value(row).to_owned(),
        flight: flight.value(row).into(),
        tailnum: tailnum.is_valid(row).then(|| tailnum.value(row).to_owned()),
        origin: origin.value(row).to_owned(),
        dest: dest.value(row).to_owned(),
        distance: distance.value(row).into(),
        sched_dep: sched_dep.value(row),
        dep_time: dep_time.is_valid(row).then(|| dep_time.value(row)),
        dep_delay: dep_delay.is_valid(row).then(|| dep_delay.value(row).into()),
        sched_arr: sched_arr.value(row),
        arr_time: arr_time.is_valid(row).then(|| arr_time.value(row)),
        arr_delay: arr_delay.is_valid(row).then(|| arr_delay.value(row).into()),
    }));
    Ok(())
}
