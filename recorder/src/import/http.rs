//! HTTP/1 messages as they were sent, and the parts of an exchange.

use bytes::Bytes;

/// A head with its body, transfer coding undone.
pub(super) struct Message<'a> {
    /// Method and target of a request, nothing and status of an answer.
    pub(super) first: (&'a str, &'a str),
    pub(super) headers: Vec<(String, Bytes)>,
    pub(super) body: Vec<u8>,
    /// Bytes of the body that its head promises and that are not there.
    pub(super) missing: usize,
}

/// The most headers of one message.
const MAX_HEADERS: usize = 256;

/// None where it is not a request.
pub(super) fn request(bytes: &[u8]) -> Option<Message<'_>> {
    let mut headers = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).ok()? else { return None };
    let first = (parsed.method?, parsed.path?);
    let headers = owned(parsed.headers);
    let (body, missing) = body(&headers, &bytes[head..], false);
    Some(Message { first, headers: end_to_end(headers), body, missing })
}

/// An answer, with its status; none where it is not an answer.
pub(super) fn answer(bytes: &[u8], has_body: bool) -> Option<(u16, Message<'_>)> {
    let mut headers = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).ok()? else { return None };
    let status = parsed.code?;
    let headers = owned(parsed.headers);
    let has_body = has_body && status >= 200 && !matches!(status, 204 | 304);
    let (body, missing) =
        if has_body { body(&headers, &bytes[head..], true) } else { (Vec::new(), 0) };
    let headers = end_to_end(headers);
    Some((status, Message { first: ("", ""), headers, body, missing }))
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, Bytes)> {
    let pair = |header: &httparse::Header<'_>| {
        (header.name.to_owned(), Bytes::copy_from_slice(header.value))
    };
    headers.iter().map(pair).collect()
}

/// Without what concerns only the connection (RFC 9110, 7.6.1), and HTTP/2's pseudo-headers.
pub(super) fn end_to_end(headers: Vec<(String, Bytes)>) -> Vec<(String, Bytes)> {
    const LEFT_OUT: [&str; 6] =
        ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    let is_end_to_end = |(name, _): &(String, Bytes)| {
        !name.starts_with(':') && !LEFT_OUT.iter().any(|out| name.eq_ignore_ascii_case(out))
    };
    headers.into_iter().filter(is_end_to_end).collect()
}

pub(super) fn header<'a>(headers: &'a [(String, Bytes)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok().map(str::trim)
}

/// Whether a host, with its port or without, is the wanted one.
pub(super) fn is_host(host: &str, wanted: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host.eq_ignore_ascii_case(wanted) || name.eq_ignore_ascii_case(wanted)
}

/// The body and how much of it is missing. A request without a length has none, an answer
/// without one goes on to the end.
fn body(headers: &[(String, Bytes)], rest: &[u8], to_the_end: bool) -> (Vec<u8>, usize) {
    let coding = header(headers, "transfer-encoding").unwrap_or_default();
    if coding.to_ascii_lowercase().contains("chunked") {
        return dechunked(rest);
    }
    match header(headers, "content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) if length <= rest.len() => (rest[..length].to_vec(), 0),
        Some(length) => (rest.to_vec(), length - rest.len()),
        None if to_the_end => (rest.to_vec(), 0),
        None => (Vec::new(), 0),
    }
}

fn dechunked(mut rest: &[u8]) -> (Vec<u8>, usize) {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return (body, 1);
        };
        if size == 0 {
            return (body, 0);
        }
        let chunk = rest.get(start..).unwrap_or_default();
        let Some(size) = usize::try_from(size).ok().filter(|size| *size <= chunk.len()) else {
            body.extend_from_slice(chunk);
            return (body, 1);
        };
        body.extend_from_slice(&chunk[..size]);
        let Some(after) = chunk[size..].strip_prefix(b"\r\n") else { return (body, 1) };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_long_as_their_heads_say() {
        let sent = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        let message = request(sent).unwrap();
        assert_eq!((message.first, message.missing), (("POST", "/a"), 0));
        assert_eq!(message.body, b"abcde");
        assert_eq!(message.headers.len(), 1, "what is about the connection is left out");
        let (status, message) =
            answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true).unwrap();
        assert_eq!((status, message.missing), (200, 6));
        let (_, message) = answer(b"HTTP/1.1 200 OK\r\n\r\nabc", true).unwrap();
        assert_eq!(message.body, b"abc");
        let (_, message) = answer(b"HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", true).unwrap();
        assert_eq!((message.body.len(), message.missing), (0, 0));
        for cut in ["5\r\nab", "zz", "2\r\nabXX"] {
            let sent = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{cut}");
            assert_eq!(request(sent.as_bytes()).unwrap().missing, 1, "{cut}");
        }
    }
}
