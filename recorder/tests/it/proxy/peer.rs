//! Both ends of the proxy: scripted upstreams, raw clients, and the proxy as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use trace::format::{RecordedErrorKind, RecordedResult, Request};

use crate::world::{read, recorder, signal, text};

/// A peer that says nothing for so long has failed the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One end of a connection, read by bytes.
pub(crate) struct Peer(pub(crate) BufReader<TcpStream>);

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(text.as_ref()).unwrap();
    }

    /// A head with its empty line; what there was of it where the other side closed.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read_until(b'\n', &mut head) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&head)),
            }
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let mut read = 0;
        while read < count {
            match self.0.read(&mut bytes[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&bytes[..read])),
            }
        }
        bytes.truncate(read);
        bytes
    }

    pub(crate) fn expect(&mut self, text: impl AsRef<[u8]>) {
        let got = self.bytes(text.as_ref().len());
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(text.as_ref()));
    }

    /// All that comes until the other side closes or resets.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = self.0.read_to_end(&mut rest);
        rest
    }

    /// Closes with a reset instead of an end.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(self.0.get_ref(), Some(Duration::ZERO)).unwrap();
    }
}

/// An upstream whose connections do what the script says. The first one is the proxy's own
/// look whether there is anybody, and is not counted.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
}

impl Upstream {
    /// The script is given each connection with its number, from 0.
    pub(crate) fn start(script: impl Fn(Peer, usize) + Send + Clone + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (script, stream) = (script.clone(), stream.unwrap());
                std::thread::spawn(move || {
                    if let Some(number) = number.checked_sub(1) {
                        script(Peer::new(stream), number);
                    }
                });
            }
        });
        Self { address }
    }

    /// Answers every request without a body with the same.
    pub(crate) fn answering(answer: &'static str) -> Self {
        Self::start(move |mut peer, _| {
            while peer.head().ends_with("\r\n\r\n") {
                peer.send(answer);
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// `recorder proxy`, listening.
pub(crate) struct Proxy {
    pub(crate) child: Process,
    stderr: BufReader<ChildStderr>,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
}

/// A process that a failing test does not leave behind.
pub(crate) struct Process(Child);

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long since.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a recording left.
pub(crate) struct Recorded {
    pub(crate) code: Option<i32>,
    pub(crate) summary: Value,
    pub(crate) stderr: String,
    pub(crate) requests: Vec<Request>,
    pub(crate) folder: TempDir,
}

impl Proxy {
    pub(crate) fn start(upstream: &str, more: &[&str]) -> Self {
        Self::spawn(recorder(&["proxy"]), upstream, more)
    }

    pub(crate) fn spawn(mut command: Command, upstream: &str, more: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        command.args(["--json", "--upstream", upstream, "--out"]);
        command.arg(folder.path().join("t.jsonl")).args(more);
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.split("://").nth(1).and_then(|rest| rest.split(',').next());
        let address = address.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Self { child: Process(child), stderr, address, folder }
    }

    pub(crate) fn client(&self) -> Peer {
        Peer::connect(self.address)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("t.jsonl.part")
    }

    /// Ends the recording with SIGTERM.
    pub(crate) fn stop(mut self) -> Recorded {
        signal(&self.child, "TERM");
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        let mut stdout = Vec::new();
        self.child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        let trace = self.folder.path().join("t.jsonl");
        let requests = if trace.exists() { read(&trace) } else { Vec::new() };
        let summary = serde_json::from_str(&text(&stdout)).unwrap_or_default();
        Recorded { code, summary, stderr, requests, folder: self.folder }
    }

    /// Waits until so many exchanges stand in the journal.
    pub(crate) fn wait_for(&mut self, exchanges: usize) {
        let start = Instant::now();
        let count = |path| -> usize {
            let text = std::fs::read(path).unwrap_or_default();
            text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"id\"")).count()
        };
        while count(self.journal()) < exchanges {
            assert!(self.child.try_wait().unwrap().is_none(), "the proxy ended");
            assert!(start.elapsed() < PATIENCE, "nothing is recorded");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The peak of its resident memory, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Recorded {
    /// Statuses, and errors where there was none.
    pub(crate) fn results(&self) -> Vec<Result<u16, RecordedErrorKind>> {
        self.requests.iter().map(result).collect()
    }
}

pub(crate) fn result(request: &Request) -> Result<u16, RecordedErrorKind> {
    match &request.result {
        RecordedResult::Answer(answer) => Ok(answer.status),
        RecordedResult::Error(error) => Err(error.kind.clone()),
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
