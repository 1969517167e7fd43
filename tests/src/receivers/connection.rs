//! One connection of a fake HTTP server: requests in, answers out, as strictly as RFC 9112 allows, or as badly as it is told.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::http_fake::{Mood, Reply, Request};

/// Bytes of a request that a fake reads.
const REQUEST_MAX: usize = 64 << 20;

/// A request off a connection; none at its end.
pub(super) fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.trim_end().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if words.next() != Some("HTTP/1.1") {
        return Err(io::Error::other(format!("no request line of HTTP/1.1: {line:?}")));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").ok_or_else(|| io::Error::other("a header without an end"))?;
        if line.is_empty() {
            break;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| io::Error::other("a header without a colon"))?;
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("host").is_none() {
        return Err(io::Error::other("no Host"));
    }
    if request.header("transfer-encoding") == Some("chunked") {
        request.body = chunked(from)?;
    } else {
        let length: usize = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        if length > REQUEST_MAX {
            return Err(io::Error::other("a request of more than 64 MiB"));
        }
        request.body = vec![0; length];
        from.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn chunked(from: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        if body.len() + size > REQUEST_MAX {
            return Err(io::Error::other("a request of more than 64 MiB"));
        }
        let start = body.len();
        body.resize(start + size, 0);
        from.read_exact(&mut body[start..])?;
        let mut end = [0; 2];
        from.read_exact(&mut end)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Answers; whether the connection goes on.
pub(super) fn answer(to: &mut TcpStream, reply: &Reply, mood: &Mood) -> io::Result<bool> {
    match mood {
        Mood::Close | Mood::TakeAndClose => return Ok(false),
        Mood::CloseMidAnswer => {
            let whole = wire(reply);
            to.write_all(&whole[..whole.len() - 1])?;
            return Ok(false);
        }
        Mood::SlowByTheByte => {
            for byte in wire(reply) {
                to.write_all(&[byte])?;
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        Mood::Huge => {
            to.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n",
            )?;
            let piece = [b' '; 1 << 16];
            for _ in 0..(1 << 30) / piece.len() {
                to.write_all(&piece)?;
            }
        }
        Mood::Garbage => {
            to.write_all(b"\x16\x03\x01\x00\xff not HTTP at all\r\n\r\n")?;
            return Ok(false);
        }
        Mood::Well | Mood::Answer(_) | Mood::TakeAndAnswer(_) => to.write_all(&wire(reply))?,
    }
    Ok(true)
}

fn wire(reply: &Reply) -> Vec<u8> {
    let mut wire = format!("HTTP/1.1 {} Status\r\n", reply.status).into_bytes();
    for (name, value) in &reply.headers {
        wire.extend(format!("{name}: {value}\r\n").bytes());
    }
    if reply.status != 204 {
        wire.extend(format!("Content-Length: {}\r\n", reply.body.len()).bytes());
    }
    wire.extend(b"\r\n");
    wire.extend(&reply.body);
    wire
}
