//! The private Postgres server, over what happens to servers.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use cluster::{Cluster, Status};

/// A cluster of a folder that is stopped and deleted at the end.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        open_up(folder.path(), 0o711);
        Self(folder)
    }

    fn dir(&self) -> std::path::PathBuf {
        self.0.path().join("postgres")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let home = std::fs::read_link(self.dir().join("home"));
        Cluster::down(&self.dir()).unwrap();
        if let Ok(home) = home {
            std::fs::remove_dir_all(home).unwrap();
        }
    }
}

fn open_up(folder: &Path, mode: u32) {
    std::fs::set_permissions(folder, PermissionsExt::from_mode(mode)).unwrap();
}

/// The first value of the first row.
fn sql(url: &str, statement: &str) -> String {
    crate::support::rows(url, statement).into_iter().next().unwrap_or_default()
}

#[test]
fn up_twice_is_the_same_server_with_durable_settings_and_statistics() {
    let scratch = Scratch::new();
    let first = Cluster::up(&scratch.dir()).unwrap();
    let second = Cluster::up(&scratch.dir()).unwrap();
    assert_eq!((first.pid(), first.url()), (second.pid(), second.url()));
    for (setting, value) in
        [("fsync", "on"), ("synchronous_commit", "on"), ("listen_addresses", "127.0.0.1")]
    {
        assert_eq!(sql(&first.url(), &format!("SHOW {setting}")), value);
    }
    assert_ne!(sql(&first.url(), "SELECT count(*)::text FROM pg_stat_statements"), "0");
    assert_eq!(sql(&first.url(), "SELECT current_database()::text"), "vigilia");
}

/// The superuser of a database can run programs as the server's user.
#[test]
fn nobody_else_of_the_machine_comes_in() {
    let scratch = Scratch::new();
    let cluster = Cluster::up(&scratch.dir()).unwrap();
    let Status::Running { port, socket, .. } = Cluster::status(&scratch.dir()).unwrap() else {
        panic!("it is not running")
    };
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o700);
    for guess in ["", ":", ":postgres", ":wrong"] {
        let url = format!("postgres://postgres{guess}@127.0.0.1:{port}/vigilia");
        let error = crate::support::try_rows(&url, "SELECT 'in'").unwrap_err().to_string();
        assert!(error.contains("password"), "{guess}: {error}");
    }
    assert_eq!(sql(&cluster.url(), "SELECT 'in'"), "in");
    assert!(!cluster.socket_url().contains("127.0.0.1"));
    assert_eq!(sql(&cluster.socket_url(), "SELECT 'in'"), "in");
    let stored = "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'postgres'";
    assert_eq!(sql(&cluster.url(), stored), "SCRAM-SHA-256$");
    let (_, rest) =
        cluster.url().split_once("postgres:").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (_, rest) = rest.split_once("postgres:").unwrap();
    let password = rest.split_once('@').unwrap().0.to_owned();
    assert_eq!(password.len(), 32);
    let kept =
        format!("SELECT count(*)::text FROM pg_stat_statements WHERE query LIKE '%{password}%'");
    assert_eq!(sql(&cluster.url(), &kept), "0", "no statement keeps it");
    let base = std::fs::read_link(scratch.dir().join("home")).unwrap_or(scratch.dir());
    assert_eq!(mode(&base.join("password")), 0o600);
    let log = std::fs::read_to_string(base.join("server.log")).unwrap();
    assert!(!log.contains(&password));
}

/// One that an earlier version made lets everybody in until it is brought up again.
#[test]
fn a_cluster_without_a_password_gets_one() {
    let scratch = Scratch::new();
    let port = |url: &str| url.rsplit([':', '/']).nth(1).unwrap().to_owned();
    let url = Cluster::up(&scratch.dir()).unwrap().url();
    let base = std::fs::read_link(scratch.dir().join("home")).unwrap_or(scratch.dir());
    std::fs::remove_file(base.join("password")).unwrap();
    let access = base.join("data/pg_hba.conf");
    std::fs::write(&access, "local all all trust\nhost all all 127.0.0.1/32 trust\n").unwrap();
    sql(&url, "SELECT pg_reload_conf()::text");
    let open = format!("postgres://postgres@127.0.0.1:{}/vigilia", port(&url));
    while crate::support::try_rows(&open, "SELECT 'in'").is_err() {
        std::thread::yield_now();
    }
    assert_eq!(Cluster::running(&scratch.dir()).unwrap().url(), open);
    let again = Cluster::up(&scratch.dir()).unwrap().url();
    assert!(again != url && again != open, "{again}");
    // The server reads its rules anew a moment after it was told to.
    while crate::support::try_rows(&open, "SELECT 'in'").is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(sql(&again, "SELECT 'in'"), "in");
}

#[test]
fn calls_at_the_same_time_make_one_cluster() {
    let scratch = Scratch::new();
    let dir = scratch.dir();
    let pids: Vec<u32> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Cluster::up(&dir).unwrap().pid())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[test]
fn down_then_up_keeps_the_data_and_the_port() {
    let scratch = Scratch::new();
    let url = Cluster::up(&scratch.dir()).unwrap().url();
    sql(&url, "CREATE TABLE kept AS SELECT 'still here' AS text");
    assert!(Cluster::down(&scratch.dir()).unwrap());
    assert_eq!(Cluster::status(&scratch.dir()).unwrap(), Status::Stopped);
    assert!(!Cluster::down(&scratch.dir()).unwrap(), "there is nothing left to stop");
    let again = Cluster::up(&scratch.dir()).unwrap();
    assert_eq!(again.url(), url);
    assert_eq!(sql(&again.url(), "SELECT text FROM kept"), "still here");
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let scratch = Scratch::new();
    let cluster = Cluster::up(&scratch.dir()).unwrap();
    sql(&cluster.url(), "CREATE TABLE kept AS SELECT 'committed' AS text");
    kill(cluster.pid());
    assert_eq!(Cluster::status(&scratch.dir()).unwrap(), Status::Stopped);
    let again = Cluster::up(&scratch.dir()).unwrap();
    assert_ne!(again.pid(), cluster.pid());
    assert_eq!(sql(&again.url(), "SELECT text FROM kept"), "committed");
}

#[test]
fn a_pid_file_that_names_another_program_does_not_stop_it() {
    let scratch = Scratch::new();
    let cluster = Cluster::up(&scratch.dir()).unwrap();
    let pid_file = scratch.dir().join("data/postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    Cluster::down(&scratch.dir()).unwrap();
    // As after a reboot: the number now belongs to a program of the server's user.
    let mut sleeper = as_owner_of(&scratch.dir().join("data"), "sleep").arg("600").spawn().unwrap();
    let stale = text.replacen(&cluster.pid().to_string(), &sleeper.id().to_string(), 1);
    std::fs::write(&pid_file, stale).unwrap();
    assert_eq!(Cluster::status(&scratch.dir()).unwrap(), Status::Stopped);
    let again = Cluster::up(&scratch.dir()).unwrap();
    assert_eq!(sql(&again.url(), "SELECT 'up'"), "up");
    assert!(sleeper.try_wait().unwrap().is_none(), "the other program was left alone");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn another_port_is_chosen_when_the_old_one_is_taken() {
    let scratch = Scratch::new();
    let url = Cluster::up(&scratch.dir()).unwrap().url();
    Cluster::down(&scratch.dir()).unwrap();
    let port: u16 = url.rsplit([':', '/']).nth(1).unwrap().parse().unwrap();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let again = Cluster::up(&scratch.dir()).unwrap();
    assert_ne!(again.url(), url);
    assert_eq!(sql(&again.url(), "SELECT 'up'"), "up");
}

#[test]
fn it_works_where_the_path_is_too_long_for_a_socket() {
    let scratch = Scratch::new();
    let dir = scratch.dir().join("long".repeat(30));
    let _cluster = Cluster::up(&dir).unwrap();
    let Status::Running { socket, .. } = Cluster::status(&dir).unwrap() else {
        panic!("it is not running")
    };
    assert!(socket.starts_with("/tmp") && socket.exists(), "{}", socket.display());
    Cluster::down(&dir).unwrap();
    assert!(!socket.exists(), "the folder of the socket went with the server");
}

/// A clone under /root: the server's user cannot come to the folder.
#[test]
fn it_works_where_only_root_can_enter() {
    let scratch = Scratch::new();
    open_up(scratch.0.path(), 0o700);
    let url = Cluster::up(&scratch.dir()).unwrap().url();
    sql(&url, "CREATE TABLE kept AS SELECT 'still here' AS text");
    assert!(Cluster::down(&scratch.dir()).unwrap());
    let again = Cluster::up(&scratch.dir()).unwrap();
    assert_eq!(sql(&again.url(), "SELECT text FROM kept"), "still here");
    let root = std::fs::metadata(scratch.dir()).unwrap().uid() == 0;
    let elsewhere = std::fs::read_link(scratch.dir().join("home")).is_ok();
    assert_eq!(elsewhere, root, "the data are elsewhere for root alone");
}

#[test]
fn status_and_url_of_nothing_end_with_code_4_and_name_the_remedy() {
    let scratch = Scratch::new();
    for command in ["status", "url"] {
        let output = Command::new(env!("CARGO_BIN_EXE_seeder"))
            .args(["cluster", command, "--dir"])
            .arg(scratch.dir())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(4));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("seeder cluster up --dir"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    // Gone when the kernel has taken its folder from it, whoever may reap it.
    while std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok() {
        std::thread::yield_now();
    }
}

fn as_owner_of(path: &Path, program: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let owner = std::fs::metadata(path).unwrap();
    let mut command = Command::new(program);
    command.current_dir("/").uid(owner.uid()).gid(owner.gid());
    command
}
