//! One run on several workers over a real NATS server: its sum, its start, and whatever is lost.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use run_log::format::{EndedBy, ValidityState};
use run_log::outcome::Outcome;
use run_log::reader::RunReader;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{Answer, Peer, Ran, Server, TraceBuilder, Workplace, free_port, loopback};

/// Long enough for whatever a busy machine takes; nothing waits for it in vain.
const PATIENCE: Duration = Duration::from_secs(60);

fn trace() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> =
        (0..20).map(|step| (step * 50, "GET", ["/a", "/b"][step as usize % 2])).collect();
    (0..6).fold(TraceBuilder::default(), |trace, n| trace.session(&format!("s{n}"), &steps))
}

/// Twelve users for twelve seconds.
const LONG: [&str; 6] = ["--users", "12", "--pacing", "closed", "--duration", "12s"];

fn steady() -> TraceBuilder {
    TraceBuilder::default()
        .session("s", &[(0, "GET", "/a"), (200, "GET", "/b"), (400, "GET", "/a")])
}

fn server() -> Server {
    Server::start(|_| Answer::Json(200, "{}".into()))
}

/// A server with JetStream, until it is dropped.
struct Nats {
    peer: Peer,
    port: u16,
    folder: TempDir,
}

impl Nats {
    /// None where this machine has no such program.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let peer = Self::peer(&folder, port);
        if peer.is_none() {
            eprintln!("nats-server is missing here: nothing of a fleet is tested");
        }
        Some(Self { peer: peer?, port, folder })
    }

    fn peer(folder: &TempDir, port: u16) -> Option<Peer> {
        let mut command = Command::new("nats-server");
        command
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream"])
            .arg("--store_dir")
            .arg(folder.path());
        Peer::start(command, loopback(port), &folder.path().join("log"))
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn kill(&mut self) {
        self.peer.kill();
    }

    fn again(&mut self) {
        self.peer = Self::peer(&self.folder, self.port).unwrap();
    }

    /// As `replayer fleet status --json` tells of a run.
    fn status(&self, run: &str) -> Option<serde_json::Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
        let output = command
            .args(["fleet", "status", run, "--json", "--nats", &self.url()])
            .output()
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).ok()?.get(0).cloned()
    }

    /// Waits until each of so many shards has told of a second.
    fn wait_for_seconds(&self, run: &str, shards: u32) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            let context = async_nats::jetstream::new(client);
            let until = Instant::now() + PATIENCE;
            for shard in 1..=shards {
                let subject = format!("replay.{run}.second.{shard}");
                while async {
                    let stream = context.get_stream("REPLAY_LIVE").await.ok()?;
                    stream.get_last_raw_message_by_subject(&subject).await.ok()
                }
                .await
                .is_none()
                {
                    assert!(Instant::now() < until, "shard {shard} has told of no second");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }

    /// Waits until a shard of a run is in a state; who has it.
    fn wait_for(&self, run: &str, shard: usize, state: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status(run);
            let found = status.as_ref().and_then(|run| run["shards"].get(shard - 1));
            if let Some(found) = found.filter(|found| found["state"] == state) {
                return found["worker"].as_str().unwrap().to_owned();
            }
            assert!(Instant::now() < until, "shard {shard} is never {state}: {status:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A worker of one shard, which is ended with the test.
struct Worker {
    child: Child,
    dir: PathBuf,
}

impl Worker {
    fn start(place: &Workplace, nats: &str, name: &str, clock: Option<&str>) -> Self {
        Self::with(place, nats, name, clock, &[])
    }

    fn with(
        place: &Workplace,
        nats: &str,
        name: &str,
        clock: Option<&str>,
        options: &[&str],
    ) -> Self {
        let dir = place.path(name);
        fs::create_dir_all(&dir).unwrap();
        let mut command = match clock {
            Some(off) => {
                let mut command = Command::new("faketime");
                command.args(["-f", off]).arg(env!("CARGO_BIN_EXE_replayer"));
                command.env("DONT_FAKE_MONOTONIC", "1");
                command
            }
            None => Command::new(env!("CARGO_BIN_EXE_replayer")),
        };
        command.args(["fleet", "work", "--once", "--nats", nats, "--manifest"]);
        command.arg(place.path("manifest.json")).arg("--dir").arg(&dir).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(dir.join("log")).unwrap());
        Self { child: command.spawn().unwrap(), dir }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap()
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its only run directory.
    fn run_dir(&self, run: &str) -> PathBuf {
        let of_run = self.dir.join("runs").join(run);
        fs::read_dir(of_run).unwrap().next().unwrap().unwrap().path()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `replayer fleet run` of a run of this name, which ends in time.
fn lead(place: &Workplace, nats: &str, run: &str, target: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
    command
        .args(["fleet", "run", "--nats", nats, "--run", run])
        .arg("--trace")
        .arg(place.path("t.trace.jsonl.zst"))
        .arg("--manifest")
        .arg(place.path("manifest.json"))
        .args(["--target", target, "--no-preflight", "--quiet", "--out"])
        .arg(place.path("out"))
        .args(options);
    command
}

fn ran(place: &Workplace, mut command: Command) -> Ran {
    place.ran(command.output().unwrap())
}

fn begun(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn requests(ran: &Ran) -> Vec<(String, u64, u64)> {
    let rows = ran.reader().stats().unwrap().map(Result::unwrap).collect::<Vec<_>>();
    rows.into_iter().map(|row| (row.name, row.requests, row.failures)).collect()
}

#[test]
fn the_sum_of_workers_is_what_one_process_does() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    let alone = server();
    let options = ["--clones", "10", "--no-preflight"];
    let one = place.run(&alone.url(), &options);
    assert_eq!(one.code_but_for_lag(), Some(0), "{}", one.stderr);
    let expected = requests(&one);
    let read = one.checked().trace;
    fs::rename(place.path("out"), place.path("one")).unwrap();
    let server = server();
    let mut workers = ["a", "b", "c"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let ran = ran(
        &place,
        lead(&place, &nats.url(), "sum", &server.url(), &["--clones", "10", "--shards", "3"]),
    );
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!((run.shard, run.config.users), (None, 60));
    // Under its name, though each worker was sent it.
    assert_eq!(run.trace, read);
    assert_eq!(run.totals.outcomes[Outcome::Completed], 1200);
    assert_eq!(requests(&ran), expected);
    assert_eq!(server.asked().len(), 1200);
    let shards: Vec<u32> = run.workers.iter().map(|worker| worker.shard).collect();
    assert_eq!(shards, [1, 2, 3]);
    // One machine has one clock.
    for worker in &run.workers {
        assert!(worker.offset_us.unsigned_abs() <= worker.bound_us + 1, "{worker:?}");
    }
    for worker in &mut workers {
        assert_eq!(worker.code(), Some(0), "{}", worker.log());
    }
    assert_eq!(nats.status("sum").unwrap()["state"], "over");
    // What the workers have gives the same sum by hand.
    let dirs = workers.each_ref().map(|worker| worker.run_dir("sum"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
    let by_hand =
        command.arg("merge").args(&dirs).arg("--out").arg(place.path("hand")).output().unwrap();
    assert!(by_hand.status.code() == ran.code, "{}", String::from_utf8_lossy(&by_hand.stderr));
    for name in ["latency.hlog", "timeline.csv", "stats.csv", "run.json"] {
        let read = |dir: &str| fs::read(place.path(dir).join(name)).unwrap();
        assert!(read("hand") == read("out"), "{name}");
    }
}

#[test]
fn clocks_that_are_off_begin_at_the_same_time() {
    let Some(nats) = Nats::start() else { return };
    if Command::new("faketime").arg("--version").output().is_err() {
        eprintln!("faketime is missing here: clocks that are off are not tested");
        return;
    }
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let workers = [None, Some("+0.25s"), Some("-3s")];
    let _workers: Vec<Worker> = (1..)
        .zip(workers)
        .map(|(n, off): (u32, _)| Worker::start(&place, &nats.url(), &n.to_string(), off))
        .collect();
    let ran = ran(
        &place,
        lead(&place, &nats.url(), "clocks", &server.url(), &["--clones", "10", "--shards", "3"]),
    );
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let run = ran.checked();
    let mut offsets: Vec<(i64, u64)> =
        run.workers.iter().map(|worker| (worker.offset_us, worker.bound_us)).collect();
    offsets.sort_unstable();
    for ((offset_us, bound_us), expected) in offsets.into_iter().zip([-250_000, 0, 3_000_000]) {
        assert!(
            offset_us.abs_diff(expected) <= bound_us + 1,
            "{offset_us} ± {bound_us}, {expected}"
        );
    }
    // By the server's clock: had they begun by their own, seconds would lie between them.
    assert_eq!(server.asked().len(), 1200);
    assert_eq!(run.totals.outcomes[Outcome::Completed], 1200);
    let seconds = ran.reader().seconds().unwrap().map(Result::unwrap).count();
    assert!(seconds < 3, "{seconds}");
}

#[test]
fn without_workers_nothing_begins_and_the_missing_shards_are_named() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let mut worker = Worker::start(&place, &nats.url(), "a", None);
    let options = ["--clones", "10", "--shards", "3", "--gather", "6s"];
    let ran = ran(&place, lead(&place, &nats.url(), "few", &server.url(), &options));
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("missing: 2, 3"), "{}", ran.stderr);
    // The one that waited is let go.
    assert_eq!(worker.code(), Some(0), "{}", worker.log());
    assert!(server.asked().is_empty());
    // The same name is not taken twice.
    let again = lead(&place, &nats.url(), "few", &server.url(), &options).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
}

#[test]
fn a_worker_that_dies_before_the_start_is_replaced() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let mut first = Worker::start(&place, &nats.url(), "a", None);
    let options = ["--clones", "10", "--shards", "2", "--gather", "100s"];
    let lead = begun(lead(&place, &nats.url(), "spare", &server.url(), &options));
    nats.wait_for("spare", 1, "ready");
    first.kill();
    let _others = ["b", "c"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("shard 1 is free again"), "{}", ran.stderr);
    assert_eq!(ran.checked().totals.outcomes[Outcome::Completed], 1200);
    assert_eq!(server.asked().len(), 1200);
}

/// Waits until the server has been asked so often.
fn asked(server: &Server, most: usize) {
    let until = Instant::now() + PATIENCE;
    while server.asked().len() < most {
        assert!(Instant::now() < until, "asked {} times", server.asked().len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_worker_that_dies_makes_the_run_invalid_and_its_share_is_named() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = [&LONG[..], &["--shards", "2"]].concat();
    let lead = begun(lead(&place, &nats.url(), "lost", &server.url(), &options));
    nats.wait_for_seconds("lost", 2);
    workers[0].kill();
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
    let run = RunReader::open(&place.path("out")).unwrap().run().clone();
    assert_eq!(run.validity.state, ValidityState::Invalid);
    let reason = run.validity.reasons.iter().find(|reason| reason.contains("was lost"));
    let reason = reason.unwrap_or_else(|| panic!("{:?}", run.validity.reasons));
    assert!(reason.contains("6 of 12 users") && reason.contains("after second"), "{reason}");
    assert_eq!(workers[1].code(), Some(0), "{}", workers[1].log());
}

#[test]
fn where_it_is_asked_for_all_end_with_the_first_that_is_lost() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = ["--users", "12", "--pacing", "closed", "--duration", "10m", "--shards", "2"];
    let options = [&options[..], &["--on-lost", "stop"]].concat();
    let lead = begun(lead(&place, &nats.url(), "all", &server.url(), &options));
    asked(&server, 100);
    workers[0].kill();
    let ran = place.ran(lead.wait_with_output().unwrap());
    let run = RunReader::open(&place.path("out")).unwrap().run().clone();
    assert_eq!(run.validity.state, ValidityState::Invalid, "{}", ran.stderr);
    assert_eq!(run.ended_by, Some(EndedBy::Signal(Signal::HUP.as_raw())));
    assert_eq!(workers[1].code(), Some(0), "{}", workers[1].log());
}

#[test]
fn one_that_dies_while_all_are_armed_lets_none_begin() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let mut workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    // Late enough for its silence to be noticed; nothing waits for it.
    let options = ["--clones", "10", "--shards", "2", "--start-at", "+60"];
    let lead = begun(lead(&place, &nats.url(), "armed", &server.url(), &options));
    for shard in [1, 2] {
        nats.wait_for("armed", shard, "armed");
    }
    workers[0].kill();
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("was lost before it"), "{}", ran.stderr);
    assert_eq!(workers[1].code(), Some(0), "{}", workers[1].log());
    assert!(workers[1].log().contains("did not begin"), "{}", workers[1].log());
    assert!(server.asked().is_empty());
    let told = nats.status("armed").unwrap()["state"]["aborted"]["why"].to_string();
    assert!(told.contains("shard 1") || told.contains("shard 2"), "{told}");
}

/// The processes know by then when to begin.
#[test]
fn a_worker_that_is_held_up_just_before_the_start_begins_with_it() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = ["--clones", "10", "--shards", "2", "--start-at", "+15"];
    let lead = begun(lead(&place, &nats.url(), "held", &server.url(), &options));
    nats.wait_for("held", 1, "armed");
    let state = nats.status("held").unwrap()["state"].clone();
    let at: DateTime<Utc> = state["armed"]["at"].as_str().unwrap().parse().unwrap();
    let until = |before_ms| {
        let wait = at - TimeDelta::milliseconds(before_ms) - Utc::now();
        std::thread::sleep(wait.to_std().unwrap_or_default());
    };
    until(350);
    workers[0].signal(Signal::STOP);
    until(20);
    workers[0].signal(Signal::CONT);
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}\n{}", ran.stderr, workers[0].log());
    assert_eq!(server.asked().len(), 1200);
}

/// Between being ready and the start nothing of it is heard, and then it is back.
#[test]
fn who_comes_back_when_another_has_its_shard_sends_nothing() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    let server = server();
    let mut first = Worker::start(&place, &nats.url(), "a", None);
    let options = ["--clones", "10", "--shards", "2", "--gather", "100s"];
    let lead = begun(lead(&place, &nats.url(), "zombie", &server.url(), &options));
    let name = nats.wait_for("zombie", 1, "ready");
    first.signal(Signal::STOP);
    let mut others = ["b", "c"].map(|name| Worker::start(&place, &nats.url(), name, None));
    // The start is four seconds after that.
    assert_ne!(nats.wait_for("zombie", 1, "armed"), name);
    first.signal(Signal::CONT);
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    assert_eq!(ran.checked().totals.outcomes[Outcome::Completed], 1200);
    assert_eq!(server.asked().len(), 1200);
    assert_eq!(first.code(), Some(4), "{}", first.log());
    assert!(first.log().contains("claim of shard 1 was taken away"), "{}", first.log());
    for worker in &mut others {
        assert_eq!(worker.code(), Some(0), "{}", worker.log());
    }
}

/// Its process goes on meanwhile: what it measured is told later, and is all there in the end.
#[test]
fn a_worker_that_was_cut_off_for_a_while_loses_nothing() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = [&LONG[..], &["--shards", "2"]].concat();
    let lead = begun(lead(&place, &nats.url(), "cut", &server.url(), &options));
    asked(&server, 100);
    workers[0].signal(Signal::STOP);
    // Longer than a worker may be silent.
    let so_far = server.asked().len();
    asked(&server, so_far + 400);
    workers[0].signal(Signal::CONT);
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!((run.ended_by, run.config.users), (Some(EndedBy::Duration), 12));
    assert_eq!(run.totals.planned_sent, server.asked().len() as u64);
}

/// NATS in a network of its own, which the workers reach over a link each.
struct Apart {
    name: String,
    /// Ended before its network is.
    nats: Option<Peer>,
    folder: TempDir,
}

impl Apart {
    const PORT: u16 = 4222;

    /// None where networks may not be made, or a program for it is missing.
    fn start() -> Option<Self> {
        let name = format!("fleet{}", std::process::id());
        if !ip(&["netns", "add", &name]) {
            eprintln!("no network can be made here: links that break are not tested");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut apart = Self { name, nats: None, folder };
        assert!(ip(&["-n", &apart.name, "link", "set", "lo", "up"]));
        for link in [0, 1] {
            let [near, far] = Self::ends(link).map(|end| format!("{end}/30"));
            let (name, device) = (&apart.name, apart.device(link));
            assert!(ip(&["link", "add", &device, "type", "veth", "peer", "eth0", "netns", name]));
            let inner = format!("link{link}");
            assert!(ip(&["-n", name, "link", "set", "eth0", "name", &inner]));
            assert!(ip(&["address", "add", &near, "dev", &device]));
            assert!(ip(&["-n", name, "address", "add", &far, "dev", &inner]));
            assert!(ip(&["link", "set", &device, "up"]));
            assert!(ip(&["-n", name, "link", "set", &inner, "up"]));
        }
        let mut command = Command::new("nats-server");
        // On all addresses of that network, which nobody else can reach.
        command.args(["--addr", "0.0.0.0", "--port", &Self::PORT.to_string(), "--jetstream"]);
        command.arg("--store_dir").arg(apart.folder.path());
        let at = SocketAddr::from((Self::ends(0)[1], Self::PORT));
        let log = apart.folder.path().join("log");
        apart.nats = Some(Peer::start(apart.inside(&command), at, &log)?);
        Some(apart)
    }

    /// The addresses of a link here and there, of the block for benchmarks (RFC 2544).
    fn ends(link: u32) -> [Ipv4Addr; 2] {
        let block = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + std::process::id() % 0x4000 * 8;
        [1, 2].map(|end| Ipv4Addr::from(block + link * 4 + end))
    }

    fn device(&self, link: u32) -> String {
        format!("f{}-{link}", std::process::id())
    }

    fn host(link: u32) -> String {
        Self::ends(link)[1].to_string()
    }

    fn url(link: u32) -> String {
        format!("nats://{}:{}", Self::host(link), Self::PORT)
    }

    /// The same command, run in that network.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(command.get_program());
        inside.args(command.get_args());
        inside
    }

    fn cut(&self, link: u32) {
        assert!(ip(&["link", "delete", &self.device(link)]));
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.nats.take());
        ip(&["netns", "delete", &self.name]);
    }
}

/// Whether it could be done.
fn ip(words: &[&str]) -> bool {
    let done = Command::new("ip").args(words).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

#[test]
fn whose_link_breaks_goes_on_and_its_directory_completes_the_sum() {
    let Some(apart) = Apart::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers = [(0, "a"), (1, "b")].map(|(link, name)| {
        let options = ["--allow-host", &Apart::host(link), "--patience", "5s"];
        Worker::with(&place, &Apart::url(link), name, None, &options)
    });
    let options = [&LONG[..], &["--shards", "2"]].concat();
    let nats = format!("nats://127.0.0.1:{}", Apart::PORT);
    let lead = begun(apart.inside(&lead(&place, &nats, "apart", &server.url(), &options)));
    asked(&server, 100);
    apart.cut(0);
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
    let run = RunReader::open(&place.path("out")).unwrap().run().clone();
    assert_eq!(run.validity.state, ValidityState::Invalid);
    let is_named = |reason: &String| reason.contains("was lost") && reason.contains("6 of 12");
    assert!(run.validity.reasons.iter().any(is_named), "{:?}", run.validity.reasons);
    assert_eq!(workers[0].code(), Some(13), "{}", workers[0].log());
    assert!(workers[0].log().contains("it is in"), "{}", workers[0].log());
    assert_eq!(workers[1].code(), Some(0), "{}", workers[1].log());
    // By hand the sum is whole.
    let mut merge = Command::new(env!("CARGO_BIN_EXE_replayer"));
    merge.arg("merge").args(workers.each_ref().map(|worker| worker.run_dir("apart")));
    let merged =
        place.ran(merge.arg("--force").arg("--out").arg(place.path("out")).output().unwrap());
    assert_eq!(merged.code_but_for_lag(), Some(0), "{}", merged.stderr);
    let run = merged.checked();
    assert_eq!((run.ended_by, run.config.users), (Some(EndedBy::Duration), 12));
    assert_eq!(run.totals.planned_sent, server.asked().len() as u64);
}

#[test]
fn where_nats_never_comes_back_the_directories_are_all_there() {
    let Some(mut nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers =
        ["a", "b"].map(|name| Worker::with(&place, &nats.url(), name, None, &["--patience", "5s"]));
    let options = ["--users", "12", "--pacing", "closed", "--duration", "4s", "--shards", "2"];
    let lead = begun(lead(&place, &nats.url(), "never", &server.url(), &options));
    asked(&server, 20);
    nats.kill();
    for worker in &mut workers {
        assert_eq!(worker.code(), Some(13), "{}", worker.log());
        assert!(worker.log().contains("it is in"), "{}", worker.log());
    }
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(13), "{}", ran.stderr);
    assert!(ran.stderr.contains("`replayer merge`"), "{}", ran.stderr);
    let mut merge = Command::new(env!("CARGO_BIN_EXE_replayer"));
    merge.arg("merge").args(workers.each_ref().map(|worker| worker.run_dir("never")));
    let merged = place.ran(merge.arg("--out").arg(place.path("out")).output().unwrap());
    assert_eq!(merged.code_but_for_lag(), Some(0), "{}", merged.stderr);
    assert_eq!(merged.checked().totals.planned_sent, server.asked().len() as u64);
}

#[test]
fn a_server_that_was_away_for_a_while_is_told_what_it_missed() {
    let Some(mut nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = [&LONG[..], &["--shards", "2"]].concat();
    let lead = begun(lead(&place, &nats.url(), "away", &server.url(), &options));
    asked(&server, 100);
    nats.kill();
    let so_far = server.asked().len();
    asked(&server, so_far + 200);
    nats.again();
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!(run.ended_by, Some(EndedBy::Duration));
    assert_eq!(run.totals.planned_sent, server.asked().len() as u64);
    for worker in &mut workers {
        assert_eq!(worker.code(), Some(0), "{}", worker.log());
    }
}

#[test]
fn a_run_whose_lead_was_killed_goes_on_and_is_collected_later() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = [&LONG[..], &["--shards", "2"]].concat();
    let mut lead = begun(lead(&place, &nats.url(), "headless", &server.url(), &options));
    asked(&server, 100);
    lead.kill().unwrap();
    lead.wait().unwrap();
    let mut resume = Command::new(env!("CARGO_BIN_EXE_replayer"));
    resume.args(["fleet", "resume", "headless", "--nats", &nats.url(), "--out"]);
    let ran = place.ran(resume.arg(place.path("out")).output().unwrap());
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!((run.ended_by, run.config.users), (Some(EndedBy::Duration), 12));
    assert_eq!(run.totals.planned_sent, server.asked().len() as u64);
    for worker in &mut workers {
        assert_eq!(worker.code(), Some(0), "{}", worker.log());
    }
}

#[test]
fn the_live_view_shows_each_worker_and_its_clock() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = ["--users", "12", "--pacing", "closed", "--duration", "10m", "--shards", "2"];
    let options = [&options[..], &["--live", "127.0.0.1:0"]].concat();
    let mut lead = begun(lead(&place, &nats.url(), "seen", &server.url(), &options));
    let mut said = BufReader::new(lead.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address =
        said.find_map(|line| Some(line.split_once("live view: http://")?.1.to_owned())).unwrap();
    let address = address.split('/').next().unwrap().to_owned();
    // Nobody else reads what it says.
    std::thread::spawn(move || said.for_each(drop));
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /events HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let told = BufReader::new(stream).lines().map(Result::unwrap);
    let mut seconds = told
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .map(|event: serde_json::Value| event["now"]["workers"].clone());
    let seen = seconds.find(|workers| workers.as_array().is_some_and(|of| of.len() == 2)).unwrap();
    for (shard, worker) in (1..).zip(seen.as_array().unwrap()) {
        assert_eq!((&worker["shard"], &worker["state"]), (&shard.into(), &"running".into()));
        // One machine has one clock.
        let [offset, bound] = ["offset_us", "bound_us"].map(|of| worker[of].as_i64().unwrap());
        assert!(bound > 0 && offset.abs() <= bound + 1, "{worker}");
        let is_one = |of: &Worker| {
            worker["name"].as_str().unwrap().ends_with(&format!(":{}", of.child.id()))
        };
        assert!(workers.iter().any(is_one), "{worker}");
    }
    kill_process(Pid::from_child(&lead), Signal::INT).unwrap();
    assert_eq!(lead.wait().unwrap().code(), Some(130));
}

#[test]
fn a_stop_of_the_lead_ends_all_workers() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&steady(), 0);
    let server = server();
    let mut workers = ["a", "b"].map(|name| Worker::start(&place, &nats.url(), name, None));
    let options = ["--users", "12", "--pacing", "closed", "--duration", "10m", "--shards", "2"];
    let lead = begun(lead(&place, &nats.url(), "stopped", &server.url(), &options));
    asked(&server, 100);
    kill_process(Pid::from_child(&lead), Signal::INT).unwrap();
    let ran = place.ran(lead.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let run = ran.checked();
    assert_eq!(run.ended_by, Some(EndedBy::Signal(Signal::INT.as_raw())));
    assert_eq!(run.totals.planned_sent, server.asked().len() as u64);
    for worker in &mut workers {
        assert_eq!(worker.code(), Some(0), "{}", worker.log());
    }
}

#[test]
fn what_may_not_be_done_is_refused() {
    let Some(nats) = Nats::start() else { return };
    let place = Workplace::new(&trace(), 0);
    // No socket is opened for any of these.
    let elsewhere = Command::new(env!("CARGO_BIN_EXE_replayer"))
        .args(["fleet", "status", "--nats", "nats://192.0.2.1:4222"])
        .output()
        .unwrap();
    assert_eq!(elsewhere.status.code(), Some(3));
    let error = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(error.contains("--allow-host 192.0.2.1"), "{error}");
    let server = server();
    let plain = ran(
        &place,
        lead(&place, &nats.url(), "plain", &server.url(), &["--shards", "1", "--send-manifest"]),
    );
    assert_eq!(plain.code, Some(3), "{}", plain.stderr);
    assert!(plain.stderr.contains("never sent without TLS"), "{}", plain.stderr);
    // A worker loads nothing that it was not allowed itself.
    let worker = Worker::start(&place, &nats.url(), "a", None);
    let options = ["--shards", "1", "--allow-host", "192.0.2.1"];
    let refused = ran(&place, lead(&place, &nats.url(), "far", "http://192.0.2.1:80", &options));
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("exit code 3"), "{}", refused.stderr);
    assert!(worker.log().contains("--allow-host 192.0.2.1"), "{}", worker.log());
}
