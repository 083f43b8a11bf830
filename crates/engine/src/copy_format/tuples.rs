use springtide_types::{Result, SqlError, SqlState};

/// What the binary format begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The signature, the flags, and the length of an extension.
const HEADER: usize = SIGNATURE.len() + 8;

/// The fields of one tuple; `None` is NULL.
pub(crate) type Tuple = Vec<Option<Vec<u8>>>;

/// Cuts a stream of bytes in the binary format into tuples.
#[derive(Default)]
pub(crate) struct Tuples {
    buffer: Vec<u8>,
    /// Where in `buffer` the next tuple begins.
    start: usize,
    begun: bool,
    /// The trailer has come.
    ended: bool,
}

impl Tuples {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Fails unless what has come is whole.
    pub(crate) fn end(&self) -> Result<()> {
        if !self.begun {
            return Err(bad("COPY file signature not recognized"));
        }
        if self.ended || self.start == self.buffer.len() {
            return Ok(());
        }
        Err(bad("unexpected EOF in COPY data"))
    }

    /// The next tuple, if it has arrived.
    pub(crate) fn next_tuple(&mut self) -> Result<Option<Tuple>> {
        if !self.begun && !self.take_header()? {
            return Ok(None);
        }
        let mut rest = &self.buffer[self.start..];
        let Some(count) = take(&mut rest, 2) else { return Ok(None) };
        let count = i16::from_be_bytes([count[0], count[1]]);
        if self.ended {
            return Err(bad("received copy data after EOF marker"));
        }
        if count == -1 {
            self.ended = true;
            self.start += 2;
            return Ok(None);
        }
        let mut tuple = Vec::new();
        for _ in 0..count {
            let Some(length) = take(&mut rest, 4) else { return Ok(None) };
            match i32::from_be_bytes([length[0], length[1], length[2], length[3]]) {
                -1 => tuple.push(None),
                length => {
                    let length = usize::try_from(length).map_err(|_| bad("invalid field size"))?;
                    let Some(field) = take(&mut rest, length) else { return Ok(None) };
                    tuple.push(Some(field.to_vec()));
                }
            }
        }
        self.start = self.buffer.len() - rest.len();
        Ok(Some(tuple))
    }

    /// Passes over the header; false if it has not arrived whole.
    fn take_header(&mut self) -> Result<bool> {
        let arrived = &self.buffer[..self.buffer.len().min(SIGNATURE.len())];
        if !SIGNATURE.starts_with(arrived) {
            return Err(bad("COPY file signature not recognized"));
        }
        let Some(extension) = self.buffer.get(HEADER - 4..HEADER) else { return Ok(false) };
        let extension = u32::from_be_bytes([extension[0], extension[1], extension[2], extension[3]]);
        let end = HEADER + extension as usize;
        if self.buffer.len() < end {
            return Ok(false);
        }
        self.begun = true;
        self.start = end;
        Ok(true)
    }
}

/// Takes bytes off the front, if there are so many.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, others) = rest.split_at_checked(count)?;
    *rest = others;
    Some(taken)
}

fn bad(message: &str) -> SqlError {
    SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<u8> {
        let header = [SIGNATURE, &[0; 8]].concat();
        let tuple = [&[0, 2][..], &[0, 0, 0, 1, b'x'], &(-1_i32).to_be_bytes()].concat();
        [header, tuple, (-1_i16).to_be_bytes().to_vec()].concat()
    }

    #[test]
    fn tuples_in_small_pieces() {
        let mut tuples = Tuples::default();
        let mut found = Vec::new();
        for byte in data() {
            tuples.push(&[byte]);
            found.extend(tuples.next_tuple().unwrap());
        }
        tuples.end().unwrap();
        assert_eq!(found, [vec![Some(b"x".to_vec()), None]]);
    }

    #[test]
    fn what_is_not_binary_is_refused() {
        let mut tuples = Tuples::default();
        tuples.push(b"1\tx\n");
        assert_eq!(tuples.next_tuple().unwrap_err().sqlstate, SqlState::BAD_COPY_FILE_FORMAT);
        let mut cut = Tuples::default();
        cut.push(&data()[..22]);
        assert_eq!(cut.next_tuple().unwrap(), None);
        assert_eq!(cut.end().unwrap_err().message, "unexpected EOF in COPY data");
    }
}
