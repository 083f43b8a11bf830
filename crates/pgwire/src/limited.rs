//! Messages, none of which may be larger than a limit: before a client has proved who it is, a small one.

use std::io;

use bytes::BytesMut;
use pgwire::error::PgWireError;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::PgWireMessageServerCodec;
use tokio_util::codec::{Decoder, Encoder};

/// What a message of a client that is not known yet may take; names and passwords are all that it has to say.
const WHILE_UNKNOWN: usize = 64 * 1024;

/// The type of a message and its length, which counts itself.
const HEADER: usize = 5;

/// Cuts what a client sends into messages once it has introduced itself.
pub(crate) struct Limited {
    codec: PgWireMessageServerCodec<()>,
    limit: usize,
}

impl Limited {
    pub(crate) fn new(codec: PgWireMessageServerCodec<()>) -> Limited {
        Limited { codec, limit: WHILE_UNKNOWN }
    }

    /// Lets messages have so many bytes.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }
}

impl Decoder for Limited {
    type Item = PgWireFrontendMessage;
    type Error = PgWireError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<PgWireFrontendMessage>, PgWireError> {
        if let Some([_, length @ ..]) = bytes.first_chunk::<HEADER>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > self.limit {
                return Err(PgWireError::MessageTooLarge(self.limit, length));
            }
        }
        self.codec.decode(bytes)
    }
}

impl Encoder<PgWireBackendMessage> for Limited {
    type Error = io::Error;

    fn encode(&mut self, message: PgWireBackendMessage, bytes: &mut BytesMut) -> io::Result<()> {
        self.codec.encode(message, bytes)
    }
}
