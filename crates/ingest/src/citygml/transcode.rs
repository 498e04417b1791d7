//! Bytes of any declared encoding to UTF-8, as a stream.

use encoding_rs::{Decoder, Encoding};
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// The start of a file as text, for recognising it.
pub(crate) fn text_of(head: &[u8]) -> Cow<'_, str> {
    match declared(head) {
        Some(e) => e.decode(head).0,
        None => String::from_utf8_lossy(head),
    }
}

/// UTF-16 by its mark or its zeros, else what the XML declaration says; `None` for UTF-8 and its subset ASCII.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let found = match head {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => encoding_rs::UTF_16LE,
        [0xfe, 0xff, ..] | [0, b'<', ..] => encoding_rs::UTF_16BE,
        _ => {
            let head = &head[..head.len().min(256)];
            let end = head.iter().position(|&b| b == b'>')?;
            let text = std::str::from_utf8(&head[..end]).ok()?;
            let text = text.trim_start_matches('\u{feff}').trim_start();
            let after = text.strip_prefix("<?xml")?.split("encoding").nth(1)?;
            let quote = after.find(['"', '\''])?;
            let rest = &after[quote + 1..];
            let name = &rest[..rest.find(['"', '\''])?];
            Encoding::for_label(name.as_bytes())?
        }
    };
    (found != encoding_rs::UTF_8).then_some(found)
}

/// Passes UTF-8 through untouched (its reader checks it) and turns anything else into UTF-8.
pub(crate) struct Utf8<R> {
    inner: R,
    decoder: Option<Decoder>,
    name: Option<&'static str>,
    /// Bytes read and not yet given (or not yet decoded).
    raw: Vec<u8>,
    at: usize,
    out: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf8<R> {
    pub fn new(mut inner: R) -> io::Result<Self> {
        let mut raw = Vec::new();
        (&mut inner).take(1024).read_to_end(&mut raw)?;
        let encoding = declared(&raw);
        Ok(Self {
            inner,
            decoder: encoding.map(Encoding::new_decoder),
            name: encoding.map(Encoding::name),
            raw,
            at: 0,
            out: Vec::new(),
            given: 0,
            ended: false,
        })
    }
    /// Name of the encoding, when it is not UTF-8.
    pub fn encoding(&self) -> Option<&'static str> {
        self.name
    }
    fn fill(&mut self, decoder: &mut Decoder) -> io::Result<()> {
        while self.given >= self.out.len() && !self.ended {
            if self.raw.is_empty() {
                self.raw.resize(32 << 10, 0);
                let n = self.inner.read(&mut self.raw)?;
                self.raw.truncate(n);
            }
            let last = self.raw.is_empty();
            let room = decoder.max_utf8_buffer_length(self.raw.len()).unwrap_or(self.raw.len() * 3 + 16);
            self.out.resize(room, 0);
            let (_, _, written, bad) = decoder.decode_to_utf8(&self.raw, &mut self.out, last);
            if bad {
                return Err(crate::archive::Refused::io("invalid-content", "the text is not in the encoding that the file declares"));
            }
            self.out.truncate(written);
            self.given = 0;
            self.raw.clear();
            self.ended = last;
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(mut decoder) = self.decoder.take() {
            let filled = self.fill(&mut decoder);
            self.decoder = Some(decoder);
            filled?;
            let n = (self.out.len() - self.given).min(buf.len());
            buf[..n].copy_from_slice(&self.out[self.given..self.given + n]);
            self.given += n;
            return Ok(n);
        }
        if self.at < self.raw.len() {
            let n = (self.raw.len() - self.at).min(buf.len());
            buf[..n].copy_from_slice(&self.raw[self.at..self.at + n]);
            self.at += n;
            return Ok(n);
        }
        self.inner.read(buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(bytes: &[u8]) -> io::Result<String> {
        let mut out = String::new();
        Utf8::new(bytes)?.read_to_string(&mut out).map(|_| out)
    }

    #[test]
    fn encodings_become_utf8() {
        let body = "长春".repeat(30_000);
        let gbk = format!("<?xml version=\"1.0\" encoding=\"GBK\"?><a>{body}</a>");
        assert_eq!(through(&encoding_rs::GBK.encode(&gbk).0).expect("sound"), gbk);
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<?xml version=\"1.0\"?><a>春</a>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(through(&utf16).expect("sound"), "<?xml version=\"1.0\"?><a>春</a>");
        let plain = format!("<?xml version=\"1.0\" encoding='utf-8'?><a>{body}</a>");
        assert_eq!(through(plain.as_bytes()).expect("sound"), plain);
        assert!(through(b"<?xml version=\"1.0\" encoding=\"GBK\"?><a>\xff\xff</a>").is_err());
        assert_eq!(through(b"").expect("empty"), "");
    }
}
