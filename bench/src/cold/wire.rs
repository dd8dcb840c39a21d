//! HTTP/1.1 for a server that answers each request of a kept connection in turn, and does little else: its time is in what is measured.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// So many connections at once.
const THREADS: usize = 16;

/// Hands each connection to a thread that waits for one: to start a thread takes as long as to answer.
pub(crate) fn accept(listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) {
    let shared = Arc::new((listener, serve));
    for _ in 0..THREADS {
        let shared = shared.clone();
        std::thread::spawn(move || {
            let (listener, serve) = &*shared;
            listener.incoming().flatten().for_each(serve);
        });
    }
}

/// A request, read as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Reads the next request; `None` when the other side has closed. `buffer` keeps what has come of the one after it.
pub(crate) fn read(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some((request, length)) = parse(buffer) {
            buffer.drain(..length);
            return Ok(Some(request));
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            length => buffer.extend_from_slice(&piece[..length]),
        }
    }
}

/// A whole request at the beginning, and how long it is there.
fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let mut request = Request { head: String::from_utf8_lossy(&bytes[..end]).into_owned(), body: Vec::new() };
    let is_chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let length = if is_chunked {
        let (body, length) = unchunk(&bytes[end..])?;
        request.body = body;
        length
    } else {
        let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or_default();
        request.body = bytes[end..].get(..length)?.to_vec();
        length
    };
    Some((request, end + length))
}

/// A whole body in chunks, and how long it is there.
fn unchunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = find(bytes.get(at..)?, b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        at += line + 2;
        body.extend_from_slice(bytes.get(at..at + size)?);
        // Each chunk ends with a line break, which must have come, too.
        bytes.get(at + size..at + size + 2)?;
        at += size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// An answer. `headers` are whole lines.
pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} -\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that delivers a byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn requests_are_read_however_they_arrive() {
        let bytes = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\nX-Amz-Target: T\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n";
        for stream in [&mut Slow(bytes) as &mut dyn Read, &mut &bytes[..]] {
            let (mut stream, mut buffer) = (stream, Vec::new());
            let first = read(&mut stream, &mut buffer).unwrap().unwrap();
            assert_eq!((first.method(), first.path(), first.body.as_slice()), ("POST", "/a", &b"abc"[..]));
            assert_eq!(first.header("x-amz-target"), Some("T"));
            let second = read(&mut stream, &mut buffer).unwrap().unwrap();
            assert_eq!((second.method(), second.path(), second.body.len()), ("GET", "/b", 0));
            assert_eq!(read(&mut stream, &mut buffer).unwrap(), None);
        }
    }

    #[test]
    fn chunks_are_put_together() {
        let bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let request = read(&mut Slow(bytes), &mut Vec::new()).unwrap().unwrap();
        assert_eq!(request.body, b"abcde");
    }

    #[test]
    fn answers_say_their_length() {
        assert_eq!(answer(200, "a: b\r\n", b"xy"), b"HTTP/1.1 200 -\r\na: b\r\ncontent-length: 2\r\n\r\nxy");
    }
}
