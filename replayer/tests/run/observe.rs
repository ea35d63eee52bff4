//! What `--observe` sees, and that whatever it meets leaves the run as it was.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use cluster::testing::TestServer;
use run_log::format::{Run, TargetSample};
use run_log::outcome::Outcome;

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace};

/// A request each half second, for three seconds.
pub(super) fn steady() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..7).map(|n| (n * 500, "GET", "/steady")).collect();
    TraceBuilder::default().session("s", &steps)
}

pub(super) fn steady_server() -> Server {
    Server::start(|_| Answer::Json(200, "{}".into()))
}

/// The run, which nothing that is observed may have changed, and its samples.
pub(super) fn observed(
    place: &Workplace,
    target: &str,
    options: &[&str],
) -> (Run, Vec<TargetSample>, Ran) {
    let ran = place.run(target, &[&["--quiet", "--no-preflight"], options].concat());
    let run = ran.checked();
    assert_eq!(run.totals.outcomes[Outcome::Completed], 7, "{}", ran.stderr);
    let samples = ran.reader().target().unwrap().map(Result::unwrap).collect();
    (run, samples, ran)
}

/// The seconds of a metric.
pub(super) fn seconds(samples: &[TargetSample], metric: &str) -> Vec<u64> {
    samples.iter().filter(|of| of.metric == metric).map(|of| of.second).collect()
}

pub(super) fn last(samples: &[TargetSample], metric: &str) -> Option<f64> {
    samples.iter().rev().find(|of| of.metric == metric).map(|of| of.value)
}

/// Somebody on loopback who does this with each connection, of which it is told the number.
fn somebody(serve: impl Fn(usize, &TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for (number, stream) in listener.incoming().flatten().enumerate() {
            serve(number, &stream);
            open.push(stream);
        }
    });
    address
}

/// Reads a request's head; whether there was one.
fn read_head(stream: &TcpStream) -> bool {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).count() > 0
}

fn page(text: &str) -> String {
    format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
}

/// The only limitation that is about what is observed.
fn told(run: &Run) -> &str {
    let told: Vec<_> = run.limitations.iter().filter(|it| it.contains("--observe")).collect();
    assert_eq!(told.len(), 1, "{:?}", run.limitations);
    told[0]
}

/// As many answers as the run asks for before its third second.
const SPEAKS: usize = 2;

#[test]
fn a_page_of_metrics_that_hangs_refuses_or_ends_leaves_the_run_as_it_was() {
    let good = page("jobs{queue=\"a\"} 3\njobs_total 9\n");
    let place = Workplace::new(&steady(), 0);
    let server = steady_server();
    type Serve = Box<dyn Fn(usize, &TcpStream) + Send>;
    let speaks = |then: Box<dyn Fn(&TcpStream) + Send>| -> Serve {
        let good = good.clone();
        Box::new(move |number, mut stream| {
            if read_head(stream) && number < SPEAKS {
                drop(stream.write_all(good.as_bytes()));
            } else {
                then(stream);
            }
        })
    };
    let cases: [(&str, Serve, bool); 5] = [
        ("hangs from the first on", Box::new(|_, _| {}), false),
        ("nonsense", Box::new(|_, mut stream| drop(stream.write_all(&[0; 999]))), false),
        ("hangs", speaks(Box::new(|_| {})), true),
        ("ends", speaks(Box::new(|stream| drop(stream.shutdown(std::net::Shutdown::Both)))), true),
        (
            "fails",
            speaks(Box::new(|mut stream| {
                drop(stream.write_all(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"));
            })),
            true,
        ),
    ];
    for (what, serve, speaks) in cases {
        let address = somebody(serve);
        let option = format!("prometheus=http://{address}");
        let (run, samples, ran) =
            observed(&place, &server.url(), &["--force", "--observe", &option]);
        let name = format!("prometheus=http://{address}/metrics of --observe");
        let seen = seconds(&samples, "prometheus.jobs{queue=\"a\"}");
        assert_eq!(seen, seconds(&samples, "prometheus.jobs_total"), "{what}: {samples:?}");
        let said = told(&run);
        assert!(said.starts_with(&format!("{name} said nothing from second ")), "{what}: {said}");
        if speaks {
            // On a busy machine even the first answer may come too late, which is said.
            let is_late = ran.stderr.contains("says nothing so far");
            assert!(seen.len() <= SPEAKS && (is_late || !seen.is_empty()), "{what}: {seen:?}");
        } else {
            assert_eq!(seen, [0; 0], "{what}");
            assert_eq!(said, format!("{name} said nothing from second 0 on"), "{what}");
            let notice = format!("replayer: {name} says nothing so far");
            assert!(ran.stderr.starts_with(&notice), "{what}: {}", ran.stderr);
        }
    }
}

/// Of each kind that is connected to, one that nobody listens to.
#[test]
fn who_refuses_is_named_and_the_run_goes_on() {
    let place = Workplace::new(&steady(), 0);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for kind in ["prometheus=http", "redis=redis"] {
        let option = format!("{kind}://{closed}");
        let (run, ..) =
            observed(&place, &steady_server().url(), &["--force", "--observe", &option]);
        assert!(told(&run).ends_with(" of --observe said nothing from second 0 on"), "{run:?}");
    }
    // A database has to be there at the start, as it had to be ever since.
    let option = format!("postgres=postgres://u:hunter2@{closed}/d");
    let ran = place.run(&steady_server().url(), &["--force", "--observe", &option]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot observe the database at 127.0.0.1"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn a_redis_that_hangs_up_is_named() {
    let info = "used_memory:1024\r\nconnected_clients:2\r\n";
    let answer = format!("${}\r\n{info}\r\n", info.len());
    let address = somebody(move |number, mut stream| {
        if number > 0 {
            return;
        }
        let mut asked = 0;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // A command begins with how many words it has: INFO is the only one that has one.
            let said = match line.as_str() {
                "*1" => {
                    asked += 1;
                    answer.as_str()
                }
                line if line.starts_with('*') => "+OK\r\n",
                _ => continue,
            };
            drop(stream.write_all(said.as_bytes()));
            if asked == SPEAKS {
                drop(stream.shutdown(std::net::Shutdown::Both));
                return;
            }
        }
    });
    let place = Workplace::new(&steady(), 0);
    let option = format!("redis=redis://{address}");
    let (run, samples, _) = observed(&place, &steady_server().url(), &["--observe", &option]);
    assert!(told(&run).starts_with(&format!("redis={address} of --observe said nothing from ")));
    assert!(seconds(&samples, "redis.memory_bytes").len() <= SPEAKS);
}

/// A target in a process of its own, with one of its own in it.
struct Elsewhere(Child, u16);

impl Elsewhere {
    /// It has to be this program that listens: no other is there on every machine.
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "run::observe::somebody_who_listens", "--ignored", "--nocapture"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.split_once("port=")?.1.trim().parse().ok());
        Self(child, port.unwrap())
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
#[ignore = "it is no test: others start it as a process that listens"]
fn somebody_who_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("port={}", listener.local_addr().unwrap().port());
    // Until whoever started it is gone.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
#[cfg(target_os = "linux")]
fn processes_are_seen_by_port_and_by_number_until_they_end() {
    let place = Workplace::new(&steady(), 0);
    let Elsewhere(child, port) = &Elsewhere::start();
    let (by_port, by_pid) = (format!("port={port}"), format!("pid={}", child.id()));
    let options = ["--observe", &by_port, "--observe", &by_pid];
    let (_, samples, _) = observed(&place, &steady_server().url(), &options);
    for of in [port.to_string(), format!("pid_{}", child.id())] {
        let metric = |name: &str| format!("process.{of}.{name}");
        let seen = |name: &str| last(&samples, &metric(name));
        assert!(seen("rss_bytes").unwrap() > 100_000.0, "{samples:?}");
        assert!(seen("threads").unwrap() >= 1.0 && seen("descriptors").unwrap() >= 3.0);
        assert_eq!(seen("processes"), Some(1.0));
        assert!(seen("cpu_percent").unwrap() >= 0.0);
    }
    // Nobody has this number: it is over the most that Linux gives.
    let (run, ..) =
        observed(&place, &steady_server().url(), &["--force", "--observe", "pid=4194305"]);
    assert_eq!(told(&run), "pid=4194305 of --observe said nothing from second 0 on");
}

#[test]
#[cfg(target_os = "linux")]
fn the_machine_of_the_generator_is_seen_unless_nothing_is_to_be_observed() {
    let place = Workplace::new(&steady(), 0);
    let (run, samples, _) = observed(&place, &steady_server().url(), &[]);
    assert!(last(&samples, "machine.load").is_some(), "{samples:?}");
    assert!(last(&samples, "machine.cpu_percent").is_some(), "{samples:?}");
    assert_eq!(run.limitations.iter().filter(|it| it.contains("said nothing")).count(), 0);
    let (_, samples, _) = observed(&place, &steady_server().url(), &["--force", "--no-observe"]);
    assert!(samples.is_empty(), "{samples:?}");
}

/// A page of metrics at each answer.
fn page_of_metrics() -> SocketAddr {
    somebody(|_, mut stream| {
        if read_head(stream) {
            drop(stream.write_all(page("jobs 3\n").as_bytes()));
        }
    })
}

/// Runs a scenario that observes this, with the place of a page in the environment.
fn of_scenario(
    place: &Workplace,
    target: &str,
    observe: &str,
    page: Option<&str>,
    options: &[&str],
) -> Ran {
    let scenario = format!("observe = [{observe}]\n[load]\npacing = \"open\"\nclones = 1\n");
    let scenario = place.scenario(&scenario);
    let all = ["--quiet", "--no-preflight", "--force", "--scenario", &scenario];
    let mut command = place.command(target, &[&all[..], options].concat());
    command.env_remove("DATABASE_URL").env_remove("OBSERVED_PAGE");
    command.envs(page.map(|page| ("OBSERVED_PAGE", page)));
    place.ran(command.output().unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn a_scenario_names_what_is_observed_and_the_command_line_adds_to_it() {
    let server = steady_server();
    let place = Workplace::new(&steady(), 0);
    let (of_file, of_environment) = (page_of_metrics(), page_of_metrics());
    let Elsewhere(_, port) = &Elsewhere::start();
    let page = format!("http://{of_environment}/");
    let observe = format!(
        "\"prometheus=http://{of_file}\", \"prometheus={{{{ env.OBSERVED_PAGE }}}}\", \"pid=4194305\""
    );
    // What both name is looked at once.
    let port = format!("port={port}");
    let file = format!("prometheus=http://{of_file}/metrics");
    for processes in ["1", "2"] {
        let options = ["--observe", &port, "--observe", &file, "--processes", processes];
        let ran = of_scenario(&place, &server.url(), &observe, Some(&page), &options);
        let run = ran.checked();
        let samples: Vec<TargetSample> =
            ran.reader().target().unwrap().map(Result::unwrap).collect();
        assert_eq!(last(&samples, "prometheus.jobs"), Some(3.0), "{samples:?}");
        assert_eq!(last(&samples, "prometheus2.jobs"), Some(3.0), "{samples:?}");
        assert_eq!(last(&samples, "prometheus3.jobs"), None, "{samples:?}");
        let metric = format!("process.{}.threads", port.strip_prefix("port=").unwrap());
        assert!(last(&samples, &metric).is_some(), "{samples:?}");
        let silent = "pid=4194305 of the scenario said nothing from second 0 on";
        assert!(run.limitations.iter().any(|told| told == silent), "{:?}", run.limitations);
    }
    // With --no-observe nothing of it is needed either.
    let ran = of_scenario(&place, &server.url(), &observe, None, &["--no-observe"]);
    ran.checked();
    assert_eq!(ran.reader().target().unwrap().count(), 0);
}

#[test]
fn mistakes_of_a_scenario_are_told_by_its_file_before_anything_is_sent() {
    let server = steady_server();
    let place = Workplace::new(&steady(), 0);
    for (observe, page, code, told) in [
        (
            "\"prometheus={{ env.OBSERVED_PAGE }}\"",
            None,
            2,
            ": observe: the environment has no variable OBSERVED_PAGE",
        ),
        (
            "\"prometheus={{ env.OBSERVED_PAGE }}\"",
            Some("http://u:hunter2@127.0.0.1/"),
            2,
            ": observe: prometheus=: ",
        ),
        (
            "\"port=1\", \"postgres=postgres://u:hunter2@127.0.0.1/d\"",
            None,
            2,
            ": observe, entry 2: it holds a password, which belongs into no file: put the URL into \
             a variable of the environment and write \"postgres={{ env.NAME }}\"",
        ),
        ("\"prot=1\"", None, 2, ": observe: expected postgres=URL, port=8000"),
        ("\"port=1\", \"port=1\"", None, 2, ": observe: port=1 is there twice"),
        ("\"redis=redis://203.0.113.7\"", None, 3, ": observe: redis=: "),
    ] {
        let ran = of_scenario(&place, &server.url(), observe, page, &[]);
        assert_eq!(ran.code, Some(code), "{observe}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.starts_with("replayer: scenario "), "{}", ran.stderr);
        assert!(ran.stderr.contains(told) && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
    assert!(server.asked().is_empty() && server.looks() == 0);
}

/// Parts of a run: what is observed is observed once, and no password is an argument.
#[test]
fn the_first_part_of_a_run_observes_for_all() {
    let address = page_of_metrics();
    let place = Workplace::new(&steady(), 0);
    let option = format!("prometheus=http://{address}");
    let options = ["--observe", &option, "--processes", "2", "--clones", "2"];
    let ran =
        place.run(&steady_server().url(), &[&["--quiet", "--no-preflight"], &options[..]].concat());
    assert_eq!(ran.checked().totals.outcomes[Outcome::Completed], 14, "{}", ran.stderr);
    let samples: Vec<TargetSample> = ran.reader().target().unwrap().map(Result::unwrap).collect();
    assert!(last(&samples, "prometheus.jobs").is_some(), "{samples:?}");
    let mut seen = seconds(&samples, "prometheus.jobs");
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all, "{samples:?}");
}

/// A database's statements stand where a report looks for them.
#[test]
fn statements_of_the_plateau_stand_in_its_last_second() {
    let server = TestServer::start().unwrap();
    let database = server.database().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "CREATE EXTENSION IF NOT EXISTS pg_stat_statements;").unwrap();
    if database.run_file(file.path()).is_err() {
        return;
    }
    let place = Workplace::new(&steady(), 0);
    let option = format!("postgres={}", database.url());
    let (run, samples, _) = observed(&place, &steady_server().url(), &["--observe", &option]);
    assert!(last(&samples, "postgres.connections.active").is_some(), "{samples:?}");
    assert!(last(&samples, "postgres.wal_bytes_total").is_some(), "{samples:?}");
    // What it took to observe it is always there.
    assert_eq!(seconds(&samples, "postgres.observing_us"), [run.plateau.end_s - 1]);
    assert!(last(&samples, "postgres.observing_us").unwrap() > 0.0);
}

/// Passes on what is said between a client and a database, up to where it is asked for statements,
/// which is behind the first look; then the database hangs, and for whoever connects again, too.
fn hanging_after_a_look(database: &str) -> SocketAddr {
    let database = database.to_owned();
    somebody(move |number, mut client| {
        if number > 0 {
            return;
        }
        let mut upstream = TcpStream::connect(&database).unwrap();
        let (mut answers, mut to_client) =
            (upstream.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let said = &buffer[..length];
            let is_enough = String::from_utf8_lossy(said).contains("pg_stat_statements");
            if is_enough || upstream.write_all(said).is_err() {
                return;
            }
        }
    })
}

#[test]
fn a_database_that_hangs_while_the_run_goes_on_is_named() {
    let server = TestServer::start().unwrap();
    let database = server.database().unwrap();
    let (user, rest) = database.url().split_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    if address.is_empty() {
        // By a socket, which nothing passes on.
        return;
    }
    let between = hanging_after_a_look(address);
    let place = Workplace::new(&steady(), 0);
    let option = format!("postgres={user}@{between}/{name}");
    let (run, samples, _) = observed(&place, &steady_server().url(), &["--observe", &option]);
    let said = run.limitations.iter().find(|it| it.contains("said nothing from second "));
    let of = format!("postgres={between}/");
    assert!(said.is_some_and(|said| said.starts_with(&of)), "{:?}", run.limitations);
    assert!(seconds(&samples, "postgres.connections.active").len() <= 1, "{samples:?}");
    let unknown = "which statements the time of the plateau went into is not known";
    assert!(run.limitations.iter().any(|it| it.contains(unknown)), "{:?}", run.limitations);
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let server = steady_server();
    let place = Workplace::new(&steady(), 0);
    for (option, code, words) in [
        ("8000", 2, "expected postgres=URL, port=8000"),
        ("redis=redis://u:hunter2@203.0.113.7", 3, "--allow-host 203.0.113.7"),
        ("prometheus=http://203.0.113.7/metrics", 3, "--allow-host 203.0.113.7"),
        ("postgres=postgres://u:hunter2@203.0.113.7/d", 3, "--allow-host 203.0.113.7"),
    ] {
        let ran = place.run(&server.url(), &["--observe", option]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    let ran = place.run(&server.url(), &["--no-observe", "--observe", "port=1"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(server.asked().is_empty() && server.looks() == 0);
}
