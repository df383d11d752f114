//! Answers, read as they come.

/// An answer of which some may be missing.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    head: Option<Head>,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    /// Bytes of the head itself.
    pub(crate) length: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
    pub(crate) status: u16,
}

impl Answer {
    /// Takes the next bytes, and says whether the answer is whole.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<bool, String> {
        self.bytes.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = Head::read(&self.bytes)?;
        }
        Ok(self
            .head
            .is_some_and(|head| self.bytes.len() >= head.length + head.body))
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.map_or(0, |head| head.status)
    }

    pub(crate) fn body(&self) -> &[u8] {
        let from = self.head.map_or(0, |head| head.length);
        self.bytes.get(from..).unwrap_or_default()
    }

    /// Whether none of it has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Head and body, for which it begins anew.
    pub(crate) fn take_whole(&mut self) -> Vec<u8> {
        self.head = None;
        std::mem::take(&mut self.bytes)
    }
}

impl Head {
    /// The head, once all of it is there.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, String> {
        let mut rest = bytes;
        let (mut status, mut body) = (None, None);
        // Line by line, and no further than the head: this is done for each of some ten thousand answers a second.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            let line = line.trim_ascii_end();
            if line.is_empty() {
                let text = || String::from_utf8_lossy(bytes).into_owned();
                return Ok(Some(Self {
                    length: bytes.len() - rest.len(),
                    body: body.ok_or_else(|| format!("an answer without a length: {}", text()))?,
                    status: status.ok_or_else(|| format!("not HTTP: {}", text()))?,
                }));
            }
            if status.is_none() {
                let code = line.split(|byte| *byte == b' ').nth(1);
                status = code.and_then(number).and_then(|code| u16::try_from(code).ok());
                if status.is_none() {
                    return Err(format!("not HTTP: {}", String::from_utf8_lossy(bytes)));
                }
            } else if let Some((name, value)) = line.split_at_checked(LENGTH.len())
                && name.eq_ignore_ascii_case(LENGTH)
            {
                body = number(value.trim_ascii_start());
            }
        }
        Ok(None)
    }
}

const LENGTH: &[u8] = b"content-length:";

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_told() {
        for wrong in ["HTTP/1.1 200 OK\r\n\r\n", "hello\r\n\r\n", "HTTP/1.1 x\r\n\r\n"] {
            assert!(Head::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(Head::read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), Ok(None));
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_no_sooner() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let mut answer = Answer::default();
        for (at, byte) in bytes.iter().enumerate() {
            assert_eq!(answer.take(&[*byte]), Ok(at + 1 == bytes.len()));
        }
        assert_eq!((answer.status(), answer.body()), (200, b"hi".as_slice()));
    }
}
