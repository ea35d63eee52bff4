//! A Redis as Debian has it: what it says of itself is what a run has of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::observe::{last, observed, seconds, steady, steady_server};
use crate::support::{Peer, Workplace, free_port, loopback};

/// A server that asks for a password and keeps nothing, until it is dropped.
struct RedisServer {
    _peer: Peer,
    port: u16,
    folder: TempDir,
}

impl RedisServer {
    /// None where this machine has no such program.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(["--requirepass", "hunter2", "--dir"])
            .arg(folder.path());
        let peer = Peer::start(command, loopback(port), &folder.path().join("log"))?;
        Some(Self { _peer: peer, port, folder })
    }

    /// What it answers to these commands, by its own protocol.
    fn say(&self, commands: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("AUTH hunter2\r\n{commands}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    }
}

#[test]
fn what_a_real_redis_says_of_itself_is_in_the_run() {
    let Some(server) = RedisServer::start() else {
        eprintln!("there is no redis-server on this machine, so nothing was tested");
        return;
    };
    assert!(server.folder.path().exists());
    server.say("SET a 1\r\nGET a\r\nGET a\r\nGET none");
    let before = field(&server.say("INFO"), "total_commands_processed:");
    let place = Workplace::new(&steady(), 0);
    let option = format!("redis=redis://:hunter2@127.0.0.1:{}/3", server.port);
    let (run, samples, _) = observed(&place, &steady_server().url(), &["--observe", &option]);
    let after = server.say("INFO");
    let seen = |metric: &str| last(&samples, &format!("redis.{metric}"));
    assert_eq!(seen("keyspace_hits_total"), Some(2.0), "{samples:?}");
    assert_eq!(seen("keyspace_misses_total"), Some(1.0), "{samples:?}");
    for metric in ["evicted_keys_total", "expired_keys_total", "rejected_connections_total"] {
        assert_eq!(seen(metric), Some(0.0), "{metric}: {samples:?}");
    }
    // Whoever asks is a client, and what it asks is a command.
    assert!(seen("clients").unwrap() >= 1.0 && seen("blocked_clients") == Some(0.0));
    let commands = seen("commands_total").unwrap();
    assert!(before < commands && commands <= field(&after, "total_commands_processed:"));
    for (metric, name) in [("memory_bytes", "used_memory:"), ("rss_bytes", "used_memory_rss:")] {
        let (seen, said) = (seen(metric).unwrap(), field(&after, name));
        assert!(seen > said / 4.0 && seen < said * 4.0, "{metric}: {seen} and {said}");
    }
    // On a busy machine an answer may come too late, but not all of them.
    assert!(!seconds(&samples, "redis.clients").is_empty());
    assert!(!format!("{run:?}{samples:?}").contains("hunter2"));
}

/// A number of `INFO`.
fn field(info: &str, name: &str) -> f64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {info}"))
}
