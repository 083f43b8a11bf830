//! An S3 server on a free port.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const KEY: &str = "tester";
const SECRET: &str = "a secret of nobody";
const BUCKET: &str = "tide";

/// A server with one bucket in a directory. It ends when this is dropped.
#[derive(Debug)]
pub struct BucketServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for BucketServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl BucketServer {
    /// Serves a directory, in which the bucket is made.
    pub async fn start(directory: &Path) -> io::Result<BucketServer> {
        std::fs::create_dir_all(directory.join(BUCKET))?;
        let files = FileSystem::new(directory).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let connections = Builder::new(TokioExecutor::new());
                    // A client that is killed breaks its connection off.
                    let _ = connections.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Ok(BucketServer { address, serving })
    }

    /// What lies below a name in the bucket.
    pub fn url(&self, name: &str) -> String {
        format!("s3://{BUCKET}/{name}")
    }

    /// The settings of a client, as they stand in its environment.
    pub fn settings(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        let settings = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }
}
