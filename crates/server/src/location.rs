//! Where the flags say that the data is.

use std::env;
use std::path::Path;
use std::sync::Arc;

use springtide_engine::{LocalFileSystem, Location, ObjectFiles};

use crate::options::Serve;

/// Where to keep the data, unless in memory.
pub(crate) fn data_location(options: &Serve) -> Result<Option<Location>, String> {
    let Some(data) = &options.data_dir else { return Ok(None) };
    match (is_url(data), &options.wal_dir) {
        (false, None) => Ok(Some(Location::directory(Path::new(data)))),
        (false, Some(_)) => {
            Err("--wal-dir is for data in a bucket; in a directory the log lies beside it".to_owned())
        }
        (true, None) => Err(format!("{data} cannot hold the log: say with --wal-dir DIR where it is to be")),
        (true, Some(wal)) => {
            let files = bucket(data)?;
            Ok(Some(Location::bucket(files, options.take_over, Arc::new(LocalFileSystem), wal)))
        }
    }
}

/// A bucket that is only read.
pub(crate) fn read_bucket(url: &str) -> Result<Location, String> {
    Ok(Location::bucket(bucket(url)?, false, Arc::new(LocalFileSystem), Path::new("")))
}

/// Whether data is to be in a bucket rather than in a directory.
pub(crate) fn is_url(data: &str) -> bool {
    data.contains("://")
}

fn bucket(url: &str) -> Result<Arc<ObjectFiles>, String> {
    let files = ObjectFiles::in_s3(url, env::vars()).map_err(|error| format!("{url}: {error}"))?;
    Ok(Arc::new(files))
}
