//! A bucket on a disk that fails.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path as Key;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use springtide_engine::Files;

use super::disk::Disk;

/// What of an object store a database uses, for objects that take one put.
#[derive(Debug)]
pub(super) struct Bucket {
    disk: Disk,
    directory: PathBuf,
}

impl Bucket {
    /// The objects are the files below a directory.
    pub(super) fn new(disk: Disk, directory: &Path) -> Bucket {
        Bucket { disk, directory: directory.to_owned() }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(key.as_ref())
    }

    fn remove(&self, key: Result<Key>) -> Result<Key> {
        let key = key?;
        self.disk.remove(&self.path(&key)).map_err(|error| failed(&key, error))?;
        Ok(key)
    }
}

fn failed(key: &Key, error: io::Error) -> Error {
    let (path, source) = (key.to_string(), Box::new(error));
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source },
        _ => Error::Generic { store: "Disk", source },
    }
}

fn described(location: Key, size: u64) -> ObjectMeta {
    ObjectMeta { location, last_modified: Default::default(), size, e_tag: None, version: None }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket on {:?}", self.disk)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(&self, key: &Key, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let path = self.path(key);
        if options.mode == PutMode::Create && self.disk.length(Path::new(key.as_ref())) > 0 {
            let source = Box::new(io::Error::from(io::ErrorKind::AlreadyExists));
            return Err(Error::AlreadyExists { path: key.to_string(), source });
        }
        self.disk.put(&path, &Bytes::from(payload)).map_err(|error| failed(key, error))?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        _key: &Key,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "put in parts".to_owned(), implementer: self.to_string() })
    }

    async fn get_opts(&self, key: &Key, _options: GetOptions) -> Result<GetResult> {
        let bytes = self.disk.read(&self.path(key)).map_err(|error| failed(key, error))?;
        let size = bytes.len() as u64;
        let payload = GetResultPayload::Stream(stream::iter([Ok(Bytes::from(bytes))]).boxed());
        let (meta, attributes) = (described(key.clone(), size), Attributes::new());
        Ok(GetResult { payload, meta, range: 0..size, attributes })
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Key>>) -> BoxStream<'static, Result<Key>> {
        let bucket = Bucket { disk: self.disk.clone(), directory: self.directory.clone() };
        keys.map(move |key| bucket.remove(key)).boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        let keys = self.disk.paths().into_iter().map(|path| Key::from(path.to_string_lossy().as_ref()));
        let prefix = prefix.cloned().unwrap_or_default();
        let found = keys.filter(move |key| key.prefix_matches(&prefix)).map(|key| Ok(described(key, 0)));
        stream::iter(found.collect::<Vec<_>>()).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let names = self.disk.list(&self.path(&prefix)).map_err(|error| failed(&prefix, error))?;
        let keys = names.into_iter().map(|name| prefix.clone().join(name));
        // That some are prefixes makes no difference to whoever lists names.
        let objects = keys.map(|key| described(key, 0)).collect();
        Ok(ListResult { common_prefixes: Vec::new(), objects })
    }

    async fn copy_opts(&self, _from: &Key, _to: &Key, _options: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".to_owned(), implementer: self.to_string() })
    }
}
