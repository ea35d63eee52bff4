//! Differential test: hyper reads the same answers, and has to come to the
//! same status, headers, body and decision about the connection.

use std::fmt::Write;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use http1::framing::{Decoded, Decoder};
use http1::{Answer, Limits, Method};
use hyper::body::Bytes;
use hyper::client::conn::http1 as hyper_http1;
use hyper_util::rt::TokioIo;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Clone, Debug)]
struct Generated {
    interim: Vec<&'static str>,
    minor: u8,
    status: &'static str,
    line_end: &'static str,
    headers: Vec<(String, String)>,
    connection: Option<&'static str>,
    framing: Framing,
    body: Vec<u8>,
    /// Where the connection ends too early.
    cut: Option<Index>,
    surplus: &'static [u8],
    head: bool,
}

#[derive(Clone, Debug)]
enum Framing {
    UntilClose,
    /// Lines of `Content-Length`; `N` stands for the right number.
    Length(Vec<&'static str>),
    Chunked {
        coding: &'static str,
        sizes: Vec<usize>,
        extension: &'static str,
        trailers: &'static str,
    },
    Other(&'static str),
}

fn framing() -> impl Strategy<Value = Framing> {
    let length = select(vec![
        vec!["N"],
        vec!["N", "N"],
        vec!["N, N"],
        vec!["N, 7"],
        vec!["N", "7"],
        vec!["-1"],
        vec!["+1"],
        vec!["1x"],
        vec!["99999999999999999999"],
    ]);
    let coding = select(vec!["chunked", "Chunked", "gzip, chunked", "chunked "]);
    let extension = select(vec!["", ";a=b", ";a=\"b;c\";d", " "]);
    let trailers = select(vec!["", "A: b\r\n", "A: b\r\nC: d\r\n"]);
    prop_oneof![
        1 => Just(Framing::UntilClose),
        3 => Just(Framing::Length(vec!["N"])),
        2 => length.prop_map(Framing::Length),
        4 => (coding, vec(1_usize..40, 1..6), extension, trailers).prop_map(
            |(coding, sizes, extension, trailers)| Framing::Chunked { coding, sizes, extension, trailers }
        ),
        1 => select(vec!["gzip", "identity", "chunked, gzip"]).prop_map(Framing::Other),
    ]
}

fn generated() -> impl Strategy<Value = Generated> {
    let interim = select(vec![
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 4\r\n\r\n",
    ]);
    let status =
        select(vec!["200 OK", "201", "204 No Content", "304 ", "404 Not Found", "500 Oh no"]);
    let header = ("[Xx]-[a-zA-Z0-9]{1,8}", "[ -~]{0,20}");
    let connection = select(vec!["close", "keep-alive", "Keep-Alive", "X-Hop, CLOSE", "x-hop"]);
    let head = (
        prop_oneof![3 => Just(Vec::new()), 1 => vec(interim, 1..3)],
        prop_oneof![4 => Just(1_u8), 1 => Just(0)],
        status,
        prop_oneof![4 => Just("\r\n"), 1 => Just("\n")],
        vec(header, 0..5),
        option::of(connection),
    );
    let rest = (
        framing(),
        vec(any::<u8>(), 0..200),
        option::weighted(0.2, any::<Index>()),
        prop_oneof![8 => Just(&b""[..]), 1 => Just(&b"x"[..]), 1 => Just(&b"HTTP/1.1 200 OK\r\n\r\n"[..])],
        prop::bool::weighted(0.1),
    );
    (head, rest).prop_map(|(head, rest)| {
        let (interim, minor, status, line_end, headers, connection) = head;
        let (framing, body, cut, surplus, head) = rest;
        Generated {
            interim,
            minor,
            status,
            line_end,
            headers,
            connection,
            framing,
            body,
            cut,
            surplus,
            head,
        }
    })
}

impl Generated {
    fn bytes(&self) -> Vec<u8> {
        let end = self.line_end;
        let mut head = self.interim.concat();
        write!(head, "HTTP/1.{} {}{end}", self.minor, self.status).unwrap();
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}{end}").unwrap();
        }
        if let Some(connection) = self.connection {
            write!(head, "Connection: {connection}{end}").unwrap();
        }
        let body = match &self.framing {
            Framing::UntilClose => self.body.clone(),
            Framing::Length(lines) => {
                for line in lines {
                    let value = line.replace('N', &self.body.len().to_string());
                    write!(head, "Content-Length: {value}{end}").unwrap();
                }
                self.body.clone()
            }
            Framing::Chunked { coding, sizes, extension, trailers } => {
                write!(head, "Transfer-Encoding: {coding}{end}").unwrap();
                chunks(&self.body, sizes, extension, trailers)
            }
            Framing::Other(coding) => {
                write!(head, "Transfer-Encoding: {coding}{end}").unwrap();
                self.body.clone()
            }
        };
        head.push_str(end);
        let body: &[u8] = if self.has_body() { &body } else { b"" };
        let mut bytes = [head.as_bytes(), body, self.surplus].concat();
        if let Some(cut) = self.cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    }

    fn has_body(&self) -> bool {
        !self.head && !self.status.starts_with("204") && !self.status.starts_with("304")
    }

    fn method(&self) -> Method {
        if self.head { Method::Head } else { Method::Other }
    }

    /// Where this client differs on purpose: hyper refuses a transfer coding
    /// in HTTP/1.0; here the answer is read and the connection given up, as
    /// RFC 9112 section 6.1 says.
    fn is_known_difference(&self) -> bool {
        self.minor == 0
            && self.has_body()
            && matches!(self.framing, Framing::Chunked { .. } | Framing::Other(_))
    }
}

fn chunks(body: &[u8], sizes: &[usize], extension: &str, trailers: &str) -> Vec<u8> {
    let mut chunked = Vec::new();
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        chunked.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
        rest = after;
    }
    chunked.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    chunked
}

/// What both clients tell of an answer. Header names in lower case, since
/// hyper keeps no other.
#[derive(Debug, PartialEq)]
struct Seen {
    answer: Answer,
    reusable: bool,
}

/// What this client makes of it, and whether it needed the end of the connection.
fn ours(bytes: &[u8], method: Method) -> (Option<Seen>, bool) {
    let mut answer = Answer::default();
    let mut decoder = Decoder::new(method, Limits::default());
    let Ok(used) = decoder.feed(bytes, &mut answer) else { return (None, true) };
    let needs_end = !decoder.is_done();
    if decoder.end().is_err() {
        return (None, true);
    }
    for (name, _) in &mut answer.headers {
        name.make_ascii_lowercase();
    }
    let decoded = Decoded { answer, persistent: decoder.is_persistent(), used };
    let reusable = decoded.persistent && decoded.used == bytes.len();
    (Some(Seen { answer: decoded.answer, reusable }), needs_end)
}

async fn hypers(bytes: &[u8], method: Method, ends: bool) -> Option<Seen> {
    let (client, mut server) = tokio::io::duplex(1 << 20);
    let bytes = bytes.to_vec();
    let serve = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(server.read_u8().await.unwrap());
        }
        server.write_all(&bytes).await.unwrap();
        if ends {
            server.shutdown().await.unwrap();
        }
        server
    });
    let (mut sender, connection) = hyper_http1::handshake(TokioIo::new(client)).await.unwrap();
    let connection = tokio::spawn(connection);
    let name = if method == Method::Head { "HEAD" } else { "GET" };
    let request = hyper::Request::builder()
        .method(name)
        .uri("/")
        .header("host", "x")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let seen = async {
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        // Lets the connection see what came after the answer.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let reusable = sender.ready().await.is_ok();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        Some(Seen { answer: Answer { status: head.status.as_u16(), headers, body }, reusable })
    };
    let seen = seen.await;
    connection.abort();
    let _open_until_here = serve.await.unwrap();
    seen
}

/// hyper groups equal names; the order within one name is what counts.
fn sorted(mut seen: Seen) -> Seen {
    seen.answer.headers.sort_by(|one, other| one.0.cmp(&other.0));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn hyper_reads_the_same_answer(generated in generated()) {
        prop_assume!(!generated.is_known_difference());
        let bytes = generated.bytes();
        let (ours, needs_end) = ours(&bytes, generated.method());
        // On a paused clock the time-out passes as soon as nothing moves any more.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let theirs = runtime.block_on(async {
            let theirs = hypers(&bytes, generated.method(), needs_end);
            tokio::time::timeout(Duration::from_secs(1), theirs).await
        });
        let Ok(theirs) = theirs else {
            return Err(TestCaseError::fail(format!("hyper waits for more, we saw {ours:?}")));
        };
        prop_assert_eq!(ours.map(sorted), theirs.map(sorted), "{}", bytes.escape_ascii());
    }
}
