//! A Redis server, or one that talks as Redis does: what its `INFO` says.

use std::fmt;
use std::net::SocketAddr;

use common::address::{self, SafetyError};
use common::exit::Exit;
use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};
use tokio::io::{AsyncReadExt as _, join};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::proc::field;
use super::watch::{Figures, Source};

#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    // The URL is not shown: it may hold a password.
    #[error("not the URL of a server without TLS, such as redis://127.0.0.1:6379")]
    Url,
    #[error(transparent)]
    Safety(#[from] SafetyError),
}

impl RedisError {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Url => Exit::Usage,
            Self::Safety(error) => error.exit(),
        }
    }
}

/// So much a server may say on one connection, and so often it is asked there: an answer has some
/// KiB, and one without end is none.
const MOST_BYTES: u64 = 16 << 20;
const MOST_LOOKS: u32 = 500;

/// What is taken of `INFO`: what it is called there, and in a run.
const FIELDS: [(&str, &str); 11] = [
    ("used_memory:", "memory_bytes"),
    ("used_memory_rss:", "rss_bytes"),
    ("connected_clients:", "clients"),
    ("blocked_clients:", "blocked_clients"),
    ("total_connections_received:", "connections_total"),
    ("rejected_connections:", "rejected_connections_total"),
    ("total_commands_processed:", "commands_total"),
    ("keyspace_hits:", "keyspace_hits_total"),
    ("keyspace_misses:", "keyspace_misses_total"),
    ("evicted_keys:", "evicted_keys_total"),
    ("expired_keys:", "expired_keys_total"),
];

/// Where a server is, and who asks it.
pub struct Redis {
    login: RedisConnectionInfo,
    address: SocketAddr,
    /// As they were typed.
    host: String,
    port: u16,
}

impl Redis {
    /// Of the server at `url`, on this machine or a host that is allowed.
    ///
    /// # Errors
    /// When it is not a URL, or its host may not be used.
    pub(super) fn of(url: &str, allowed: &[String]) -> Result<Self, RedisError> {
        let info: ConnectionInfo = url.into_connection_info().map_err(|_| RedisError::Url)?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else { return Err(RedisError::Url) };
        let (host, port) = (host.clone(), *port);
        let addresses = address::pin(&host, port, allowed)?;
        let address =
            *addresses.first().ok_or_else(|| SafetyError::NoAddress { host: host.clone() })?;
        Ok(Self { login: info.redis_settings().clone(), address, host, port })
    }

    /// What looks at it; its metrics begin with `prefix`.
    pub(super) fn called(self, prefix: String) -> Server {
        Server { redis: self, connection: None, looks: 0, prefix }
    }
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Asks a server.
pub(super) struct Server {
    redis: Redis,
    connection: Option<MultiplexedConnection>,
    /// Those of the connection.
    looks: u32,
    prefix: String,
}

impl Server {
    async fn connect(&self) -> Option<MultiplexedConnection> {
        let (read, write) = TcpStream::connect(self.redis.address).await.ok()?.into_split();
        let stream = join(read.take(MOST_BYTES), write);
        let login = self.redis.login.clone();
        let (mut opened, connection) = oneshot::channel();
        tokio::spawn(async move {
            let opening = tokio::select! {
                opening = MultiplexedConnection::new(&login, stream) => opening,
                // It was given up.
                () = opened.closed() => return,
            };
            if let Ok((connection, driver)) = opening
                && opened.send(connection).is_ok()
            {
                // It ends with the connection.
                driver.await;
            }
        });
        connection.await.ok()
    }
}

impl Source for Server {
    async fn look(&mut self) -> Option<Figures> {
        // It comes back only when an answer was read to its end.
        let kept = self.connection.take().filter(|_| self.looks < MOST_LOOKS);
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                self.looks = 0;
                self.connect().await?
            }
        };
        self.looks += 1;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await.ok()?;
        self.connection = Some(connection);
        let figures = figures(&info, &self.prefix);
        (!figures.is_empty()).then_some(figures)
    }
}

fn figures(info: &str, prefix: &str) -> Figures {
    let known = FIELDS.into_iter().filter_map(|(of, name)| {
        let value: f64 = field(info, of)?.parse().ok()?;
        value.is_finite().then(|| (format!("{prefix}.{name}"), value))
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use super::*;

    const INFO: &str = "# Memory\r\nused_memory:1048576\r\nused_memory_rss:2097152\r\n\
        used_memory_human:1.00M\r\n# Clients\r\nconnected_clients:3\r\n\
        # Stats\r\ntotal_commands_processed:77\r\nkeyspace_hits:9\r\nkeyspace_misses:nan\r\n";

    /// A server that says OK to everything but `INFO`, and to that what it is given, in turn; then
    /// it hangs up. What it was told is kept.
    fn server(answers: Vec<Vec<u8>>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                // A command is `*2`, then each word behind its length.
                while let Some(head) = lines.next() {
                    let words: usize = head.trim_start_matches('*').parse().unwrap();
                    let words: Vec<String> = (0..words).filter_map(|_| lines.nth(1)).collect();
                    heard.lock().unwrap().push(words.join(" "));
                    let answer = match words[0].as_str() {
                        "INFO" => answers.next(),
                        _ => Some(b"+OK\r\n".to_vec()),
                    };
                    let Some(answer) = answer else { break };
                    drop((&stream).write_all(&answer));
                }
            }
        });
        (address, told)
    }

    fn bulk(text: &str) -> Vec<u8> {
        format!("${}\r\n{text}\r\n", text.len()).into_bytes()
    }

    #[tokio::test]
    async fn what_info_says_is_taken_by_its_names() {
        let (address, told) = server(vec![bulk(INFO), bulk(INFO)]);
        let redis = Redis::of(&format!("redis://me:hunter2@{address}/2"), &[]).unwrap();
        assert_eq!(redis.to_string(), address.to_string());
        let mut server = redis.called("redis".to_owned());
        let expected = [
            ("redis.memory_bytes", 1048576.0),
            ("redis.rss_bytes", 2097152.0),
            ("redis.clients", 3.0),
            ("redis.commands_total", 77.0),
            ("redis.keyspace_hits_total", 9.0),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value)).to_vec();
        assert_eq!(server.look().await, Some(expected.clone()));
        assert_eq!(server.look().await, Some(expected));
        let told = told.lock().unwrap().clone();
        assert!(told.contains(&"AUTH me hunter2".to_owned()), "{told:?}");
        assert!(told.contains(&"SELECT 2".to_owned()), "{told:?}");
        // It hung up.
        assert_eq!(server.look().await, None);
    }

    #[tokio::test]
    async fn nonsense_and_answers_without_end_are_none() {
        let endless = [b"$900000000\r\n".to_vec(), vec![b'x'; 20 << 20]].concat();
        for answer in [bulk(""), bulk("hello"), b"-ERR no\r\n".to_vec(), b"?\r\n".to_vec(), endless]
        {
            let (address, _) = server(vec![answer]);
            let mut server =
                Redis::of(&format!("redis://{address}"), &[]).unwrap().called("r".into());
            assert_eq!(server.look().await, None);
        }
    }
}
