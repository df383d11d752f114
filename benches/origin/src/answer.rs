//! Answers, read as they come.

/// An answer of which some may be missing.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    length: usize,
    body: usize,
    status: u16,
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

    /// Head and body.
    pub(crate) fn whole(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.head = None;
    }
}

impl Head {
    /// The head, once all of it is there.
    fn read(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| format!("not HTTP: {text}"))?;
        let body = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok())
            .ok_or_else(|| format!("an answer without a length: {text}"))?;
        Ok(Some(Self {
            length: end + 4,
            body,
            status,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
