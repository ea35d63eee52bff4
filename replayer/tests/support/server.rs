//! A server on loopback that answers as the test says, and remembers what it was asked.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_cork;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What to do about it.
pub(crate) enum Answer {
    Json(u16, String),
    /// After this long.
    Late(Duration, u16, String),
    /// These bytes and no more; then the connection ends.
    RawThenClose(Vec<u8>),
    /// The answer is whole, and the connection closed without a word of it.
    JsonThenClose(u16, String),
    /// Nothing, ever.
    Silence,
    /// The connection ends, and nobody listens any more.
    Death,
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    peers: Arc<Mutex<Vec<IpAddr>>>,
}

impl Server {
    /// Answers every request by the script, a thread a connection, until the test ends.
    pub(crate) fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::serving(script, true)
    }

    /// As [`Server::start`], and remembers nothing: for more than fits into memory.
    pub(crate) fn start_forgetful(
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::serving(script, false)
    }

    fn serving(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static, remembers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let seen = Arc::clone(&asked);
        let peers = Arc::new(Mutex::new(Vec::new()));
        let asking = Arc::clone(&peers);
        std::thread::spawn(move || {
            let is_dead = Arc::new(AtomicBool::new(false));
            for connection in listener.incoming().flatten() {
                if is_dead.load(Ordering::Relaxed) {
                    return;
                }
                let dies = Arc::clone(&is_dead);
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                let asking = Arc::clone(&asking);
                std::thread::spawn(move || {
                    let died = serve(&connection, &*script, remembers.then_some(&*seen), &asking);
                    if died.is_ok_and(|died| died) && !dies.swap(true, Ordering::Relaxed) {
                        // Whoever accepts wakes to see it.
                        drop(TcpStream::connect(address));
                    }
                });
            }
        });
        Self { address, asked, peers }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the connections came from that asked for more than metrics.
    pub(crate) fn peers(&self) -> Vec<IpAddr> {
        self.peers.lock().unwrap().clone()
    }

    /// How often it was asked for metrics; counted unless it is forgetful.
    pub(crate) fn looks(&self) -> u64 {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path == "/metrics").count() as u64
    }

    /// What was asked so far, the tool's look for metrics left out.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path != "/metrics").cloned().collect()
    }
}

/// Whether the server is to die.
fn serve(
    connection: &TcpStream,
    script: &Script,
    seen: Option<&Mutex<Vec<Asked>>>,
    peers: &Mutex<Vec<IpAddr>>,
) -> io::Result<bool> {
    connection.set_nodelay(true)?;
    let peer = connection.peer_addr()?.ip();
    let mut is_first = true;
    let mut input = BufReader::new(connection);
    let mut output = connection;
    while let Some(asked) = read(&mut input)? {
        if let Some(seen) = seen {
            seen.lock().unwrap().push(asked.clone());
        }
        if std::mem::take(&mut is_first) && asked.path != "/metrics" {
            peers.lock().unwrap().push(peer);
        }
        let answer =
            if asked.path == "/metrics" { Answer::Json(404, "{}".into()) } else { script(&asked) };
        match answer {
            Answer::Json(status, body) => output.write_all(&json(status, &body))?,
            Answer::Late(delay, status, body) => {
                std::thread::sleep(delay);
                output.write_all(&json(status, &body))?;
            }
            Answer::RawThenClose(bytes) => return output.write_all(&bytes).map(|()| false),
            Answer::JsonThenClose(status, body) => {
                // In one packet: the client has both or neither, however late this thread is.
                set_tcp_cork(connection, true)?;
                output.write_all(&json(status, &body))?;
                return connection.shutdown(Shutdown::Write).map(|()| false);
            }
            Answer::Silence => std::thread::sleep(Duration::from_secs(3600)),
            Answer::Death => return Ok(true),
        }
    }
    Ok(false)
}

fn json(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn read(input: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    input.read_exact(&mut body)?;
    Ok(Some(Asked { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}
