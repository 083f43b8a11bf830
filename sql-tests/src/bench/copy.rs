//! The events of Nexmark through COPY FROM STDIN over the wire into a server that keeps them on disk, each of the three tables from
//! a session of its own and an epoch of events per COPY, with one view live: events a second from the first COPY until the
//! view shows the last event.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::SinkExt;

use super::commits::Springtide;
use super::nexmark::{self, EVENTS_PER_SECOND, QUERIES};
use super::{copy_data, median};
use crate::crash::server_binary;
use crate::server::connect;

/// Whatever goes wrong here ends the bench.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The view, unless another one is asked for.
const VIEW: &str = "q4";
/// Bytes that are sent together.
const PIECE: usize = 64 * 1024;

type Encode = fn(&RecordBatch) -> springtide_types::Result<Bytes>;

const FORMATS: [(&str, Encode); 2] = [("text", copy_data::text), ("binary", copy_data::binary)];

/// Measures each format, and prints the median of several runs.
pub async fn report(events: u64, sizes: &[u64], queries: &[String], runs: usize) -> Result<()> {
    let view = queries.first().map_or(VIEW, String::as_str);
    let known = QUERIES.iter().find(|(name, _)| *name == view);
    let (_, definition) = known.ok_or_else(|| format!("there is no query {view}"))?;
    println!("COPY over the wire of {events} events, with {view} live, median of {runs}");
    println!("format  epoch    MB     events/s");
    for size in sizes {
        let epochs = nexmark::generate(events, *size, EVENTS_PER_SECOND);
        for (format, encode) in FORMATS {
            let mut encoded = Vec::new();
            for (table, rows) in nexmark::TABLES {
                let copies = epochs.iter().map(|epoch| encode(rows(epoch)));
                encoded.push((table, copies.collect::<springtide_types::Result<Vec<_>>>()?));
            }
            let bytes = encoded.iter().flat_map(|(_, copies)| copies).map(Bytes::len).sum::<usize>();
            let mut times = Vec::new();
            for _ in 0..runs {
                times.push(measure(view, definition, format, &encoded).await?);
            }
            let rate = events as f64 / median(times).as_secs_f64();
            println!("{format:<7} {size:<8} {:<6} {rate:.0}", bytes >> 20);
        }
    }
    Ok(())
}

async fn measure(
    view: &str,
    definition: &str,
    format: &str,
    encoded: &[(&'static str, Vec<Bytes>)],
) -> Result<Duration> {
    let server = Springtide::start(&server_binary()?)?;
    let client = connect(&server.url()).await?;
    client.batch_execute(nexmark::SCHEMA).await?;
    client.batch_execute(definition).await?;
    let start = Instant::now();
    let mut sessions = Vec::new();
    for (table, copies) in encoded {
        let (url, copies) = (server.url(), copies.clone());
        let statement = format!("COPY {table} FROM STDIN (FORMAT {format})");
        sessions.push(tokio::spawn(async move { copy(&url, &statement, copies).await }));
    }
    for session in sessions {
        session.await??;
    }
    client.query(&format!("SELECT * FROM {view} LIMIT 1"), &[]).await?;
    Ok(start.elapsed())
}

async fn copy(url: &str, statement: &str, copies: Vec<Bytes>) -> Result<()> {
    let client = connect(url).await?;
    for mut data in copies {
        let mut sink = Box::pin(client.copy_in::<_, Bytes>(statement).await?);
        while !data.is_empty() {
            sink.feed(data.split_to(PIECE.min(data.len()))).await?;
        }
        sink.as_mut().finish().await?;
    }
    Ok(())
}
