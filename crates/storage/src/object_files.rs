use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::{Path as Key, PathPart};
use object_store::{
    Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutOptions, RetryConfig, WriteMultipart,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::file_system::Files;

/// A file of more bytes is put in parts of so many, some of them at a time.
const PART: usize = 16 << 20;
/// Parts of a file that are on their way at a time.
const PARTS: usize = 4;
/// How long a request that fails is tried again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Threads that talk to the store.
const THREADS: usize = 2;
/// The object that says whose files these are.
const OWNER: &str = "owner.json";

/// Files as objects of a bucket, such as those of S3. An object is there in whole or not at all, which is what [`Files`] asks.
///
/// Nothing locks a bucket. Instead, it belongs to one log ([`ObjectFiles::claim`]): before each change it is looked up whether it
/// still does.
pub struct ObjectFiles {
    store: Arc<dyn ObjectStore>,
    /// What the keys of all objects begin with.
    prefix: Key,
    /// The same as a path, as it is shown to people.
    root: PathBuf,
    /// The log to which the files belong, once it has claimed them.
    claimed: OnceLock<Owner>,
    /// Dropped without waiting, which [`Drop`] sees to.
    runtime: Option<Runtime>,
}

/// The log that files belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The identity of the log.
    pub log: String,
    /// Where it is, for people.
    pub place: String,
}

/// Why files can't be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// They belong to another log.
    #[error("it belongs to the log in {}", .0.place)]
    Owned(Owner),
    /// They can't be reached.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl fmt::Debug for ObjectFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectFiles at {}", self.root.display())
    }
}

impl Drop for ObjectFiles {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl ObjectFiles {
    /// The files below a URL of S3, such as `s3://bucket/path`. `settings` are those of its clients by their names in the
    /// environment, such as `AWS_REGION`; others are passed over.
    pub fn in_s3(url: &str, settings: impl IntoIterator<Item = (String, String)>) -> io::Result<ObjectFiles> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidInput, reason);
        let parsed = Url::parse(url).map_err(|error| invalid(error.to_string()))?;
        let prefix = match ObjectStoreScheme::parse(&parsed) {
            Ok((ObjectStoreScheme::AmazonS3, prefix)) => prefix,
            _ => return Err(invalid("it is not a URL of S3, such as s3://bucket/path".to_owned())),
        };
        let retry = RetryConfig { retry_timeout: PATIENCE, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_url(url).with_retry(retry);
        for (name, value) in settings {
            let key = Some(name).filter(|name| name.starts_with("AWS_"));
            if let Some(Ok(key)) = key.map(|name| name.to_lowercase().parse::<AmazonS3ConfigKey>()) {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.build().map_err(|error| invalid(error.to_string()))?;
        ObjectFiles::new(Arc::new(store), prefix, Path::new(url))
    }

    /// The objects of a store whose keys begin with `prefix`. They are shown as lying below `root`.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Key, root: &Path) -> io::Result<ObjectFiles> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("objects")
            .enable_all()
            .build()?;
        let (root, claimed) = (root.to_owned(), OnceLock::new());
        Ok(ObjectFiles { store, prefix, root, claimed, runtime: Some(runtime) })
    }

    /// The directory that all files lie below.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the files belong to a log, if they belong to none, or whatever they belong to if it is to `take_over`. From then on
    /// they are changed only as long as they do.
    pub fn claim(&self, owner: &Owner, take_over: bool) -> Result<(), ClaimError> {
        let found = self.owner()?;
        if found.as_ref().is_none_or(|found| take_over && found.log != owner.log) {
            let bytes = serde_json::to_vec(owner).expect("an owner is JSON");
            let mode = if found.is_none() { PutMode::Create } else { PutMode::Overwrite };
            let (store, key) = (self.store.clone(), self.key(&self.root.join(OWNER))?);
            let put = move || async move {
                store.put_opts(&key, bytes.into(), PutOptions::from(mode)).await.map(drop)
            };
            match self.wait(put()) {
                // Another one was faster: the next look tells who.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                put => put?,
            }
        }
        match self.owner()? {
            Some(found) if found.log == owner.log => {
                // Claimed once already, by the same log.
                let _ = self.claimed.set(found);
                Ok(())
            }
            Some(found) => Err(ClaimError::Owned(found)),
            None => Err(io::Error::other("what was put into the bucket is not there").into()),
        }
    }

    fn owner(&self) -> io::Result<Option<Owner>> {
        match self.read(&self.root.join(OWNER)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fails if the files were taken over.
    fn check_owner(&self) -> io::Result<()> {
        let Some(owner) = self.claimed.get() else { return Ok(()) };
        match self.owner()? {
            Some(found) if found.log == owner.log => Ok(()),
            Some(found) => {
                let message = format!("it was taken over by the log in {}", found.place);
                Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
            }
            None => Err(io::Error::other(format!("{OWNER} is gone"))),
        }
    }

    fn key(&self, path: &Path) -> io::Result<Key> {
        let invalid = || {
            let message = format!("{} is not below {}", path.display(), self.root.display());
            io::Error::new(io::ErrorKind::InvalidInput, message)
        };
        let below = path.strip_prefix(&self.root).map_err(|_| invalid())?;
        below.iter().try_fold(self.prefix.clone(), |key, part| {
            let part = PathPart::parse(part.to_str().ok_or_else(invalid)?).map_err(|_| invalid())?;
            Ok(key.join(part))
        })
    }

    /// Waits for an answer of the store, on whatever thread this is.
    fn wait<T: Send + 'static>(
        &self,
        answer: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref().expect("it goes only when this is dropped");
        runtime.spawn(async move {
            // Whoever asked has gone: the answer is of no use.
            let _ = sender.send(answer.await);
        });
        match receiver.recv() {
            Ok(answer) => answer.map_err(as_io_error),
            Err(_) => Err(io::Error::other("a request ended by a panic")),
        }
    }
}

fn as_io_error(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        Error::InvalidPath { .. } => io::ErrorKind::InvalidInput,
        Error::NotSupported { .. } | Error::NotImplemented { .. } => io::ErrorKind::Unsupported,
        // What a store says about itself may say why, as a local directory does whose disk is full.
        error => source_of(error).unwrap_or(io::ErrorKind::Other),
    };
    io::Error::new(kind, error)
}

/// What kind of I/O error is behind another error.
fn source_of(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.into_iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

impl Files for ObjectFiles {
    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let (store, key) = (self.store.clone(), self.key(directory)?);
        let listed = self.wait(async move { store.list_with_delimiter(Some(&key)).await })?;
        let objects = listed.objects.iter().map(|object| &object.location);
        let keys = objects.chain(&listed.common_prefixes);
        let mut names = keys.filter_map(Key::filename).map(|name| name.to_owned()).collect::<Vec<_>>();
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let (store, key) = (self.store.clone(), self.key(path)?);
        let bytes = self.wait(async move { store.get(&key).await?.bytes().await })?;
        Ok(bytes.into())
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check_owner()?;
        let (store, key, bytes) = (self.store.clone(), self.key(path)?, bytes.to_vec());
        if bytes.len() <= PART {
            return self.wait(async move { store.put(&key, bytes.into()).await.map(drop) });
        }
        self.wait(async move {
            let mut parts = WriteMultipart::new_with_chunk_size(store.put_multipart(&key).await?, PART);
            for part in bytes.chunks(PART) {
                parts.wait_for_capacity(PARTS).await?;
                parts.write(part);
            }
            parts.finish().await.map(drop)
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check_owner()?;
        let (store, key) = (self.store.clone(), self.key(path)?);
        self.wait(async move { store.delete(&key).await })
    }
}
