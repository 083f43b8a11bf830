//! A server in this process, and a client that shows every message.

#![allow(dead_code, reason = "each test file uses its part")]

use springtide_engine::{Database, Options};
use springtide_pgwire::ServeOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server on a free port.
pub(crate) struct Server {
    pub port: u16,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    pub database: Database,
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::start_with(ServeOptions::default()).await
    }

    pub(crate) async fn start_with(options: ServeOptions) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let database = Database::open(Options::new(2)).unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving =
            tokio::spawn(springtide_pgwire::serve_with(options, listener, database.clone(), async {
                stopped.await.unwrap();
            }));
        Server { port, stop, serving, database }
    }

    /// A driver's connection.
    pub(crate) async fn connect(&self) -> tokio_postgres::Client {
        let config = format!("host=127.0.0.1 port={} user=somebody dbname=anything", self.port);
        let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A connection that shows every message.
    pub(crate) async fn raw(&self) -> Raw {
        let mut raw = Raw { stream: TcpStream::connect(("127.0.0.1", self.port)).await.unwrap() };
        let mut startup = 196_608_i32.to_be_bytes().to_vec();
        startup.extend(b"user\0somebody\0application_name\0test\0\0");
        let length = (startup.len() as i32 + 4).to_be_bytes();
        raw.stream.write_all(&[&length[..], &startup].concat()).await.unwrap();
        raw
    }

    /// A connection that is ready for queries.
    pub(crate) async fn raw_ready(&self) -> Raw {
        let mut raw = self.raw().await;
        raw.until_ready().await;
        raw
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
        self.database.shutdown().await;
    }
}

/// A client that speaks the protocol by hand.
pub(crate) struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    /// Sends messages, each a type byte and a body.
    pub(crate) async fn send(&mut self, messages: &[(u8, Vec<u8>)]) {
        let mut bytes = Vec::new();
        for (kind, body) in messages {
            bytes.push(*kind);
            bytes.extend((body.len() as i32 + 4).to_be_bytes());
            bytes.extend(body);
        }
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Sends messages and shows the answer up to `ReadyForQuery`.
    pub(crate) async fn ask(&mut self, messages: &[(u8, Vec<u8>)]) -> Vec<String> {
        self.send(messages).await;
        self.until_ready().await
    }

    /// A simple query, and its answer.
    pub(crate) async fn query(&mut self, sql: &str) -> Vec<String> {
        self.ask(&[query(sql)]).await
    }

    pub(crate) async fn until_ready(&mut self) -> Vec<String> {
        let mut shown = Vec::new();
        loop {
            let message = self.next().await.expect("the connection is open");
            let ready = message.starts_with('Z');
            shown.push(message);
            if ready {
                return shown;
            }
        }
    }

    /// The next message; `None` if the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let kind = self.stream.read_u8().await.ok()?;
        let length = self.stream.read_i32().await.ok()?;
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(show(kind, &body))
    }
}

fn show(kind: u8, body: &[u8]) -> String {
    let kind_char = kind as char;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').replace('\0', "=");
    match kind {
        b'Z' | b'C' | b'S' => format!("{kind_char} {}", text(body)),
        b'D' => format!("D {}", show_row(body)),
        b'T' => format!("T {}", show_columns(body)),
        b't' => format!(
            "t {:?}",
            body[2..].chunks(4).map(|oid| u32::from_be_bytes(oid.try_into().unwrap())).collect::<Vec<_>>()
        ),
        b'E' | b'N' => {
            let mut fields = body.split(|byte| *byte == 0).filter(|field| !field.is_empty());
            let mut field =
                |name: u8| fields.find(|field| field[0] == name).map(|field| text(&field[1..])).unwrap();
            format!("{kind_char} {} {} {}", field(b'S'), field(b'C'), field(b'M'))
        }
        _ => kind_char.to_string(),
    }
}

fn show_row(body: &[u8]) -> String {
    let mut rest = &body[2..];
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let length = i32::from_be_bytes(rest[..4].try_into().unwrap());
        rest = &rest[4..];
        if length < 0 {
            fields.push("NULL".to_owned());
        } else {
            fields.push(String::from_utf8_lossy(&rest[..length as usize]).into_owned());
            rest = &rest[length as usize..];
        }
    }
    fields.join("|")
}

/// Name, OID, size, modifier and format of each column.
fn show_columns(body: &[u8]) -> String {
    let mut rest = &body[2..];
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0).unwrap();
        let name = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        let oid = u32::from_be_bytes(rest[6..10].try_into().unwrap());
        let size = i16::from_be_bytes(rest[10..12].try_into().unwrap());
        let modifier = i32::from_be_bytes(rest[12..16].try_into().unwrap());
        let format = i16::from_be_bytes(rest[16..18].try_into().unwrap());
        columns.push(format!("{name}:{oid}:{size}:{modifier}:{format}"));
        rest = &rest[18..];
    }
    columns.join(" ")
}

fn cstring(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

pub(crate) fn query(sql: &str) -> (u8, Vec<u8>) {
    (b'Q', cstring(sql))
}

pub(crate) fn parse(name: &str, sql: &str, types: &[u32]) -> (u8, Vec<u8>) {
    let mut body = [cstring(name), cstring(sql)].concat();
    body.extend((types.len() as u16).to_be_bytes());
    types.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
    (b'P', body)
}

/// Text parameters, and results in text.
pub(crate) fn bind(portal: &str, statement: &str, parameters: &[Option<&str>]) -> (u8, Vec<u8>) {
    let mut body = [cstring(portal), cstring(statement)].concat();
    body.extend(0_u16.to_be_bytes());
    body.extend((parameters.len() as u16).to_be_bytes());
    for parameter in parameters {
        match parameter {
            Some(text) => {
                body.extend((text.len() as i32).to_be_bytes());
                body.extend(text.as_bytes());
            }
            None => body.extend((-1_i32).to_be_bytes()),
        }
    }
    body.extend(0_u16.to_be_bytes());
    (b'B', body)
}

pub(crate) fn execute(portal: &str, max_rows: i32) -> (u8, Vec<u8>) {
    (b'E', [&cstring(portal)[..], &max_rows.to_be_bytes()].concat())
}

/// `target` is S for a statement, P for a portal.
pub(crate) fn describe(target: u8, name: &str) -> (u8, Vec<u8>) {
    (b'D', [&[target][..], &cstring(name)].concat())
}

pub(crate) fn close(target: u8, name: &str) -> (u8, Vec<u8>) {
    (b'C', [&[target][..], &cstring(name)].concat())
}

pub(crate) fn sync() -> (u8, Vec<u8>) {
    (b'S', Vec::new())
}

pub(crate) fn flush() -> (u8, Vec<u8>) {
    (b'H', Vec::new())
}

pub(crate) fn copy_data(text: &str) -> (u8, Vec<u8>) {
    (b'd', text.as_bytes().to_vec())
}

pub(crate) fn copy_done() -> (u8, Vec<u8>) {
    (b'c', Vec::new())
}

pub(crate) fn copy_fail(reason: &str) -> (u8, Vec<u8>) {
    (b'f', cstring(reason))
}
