//! The server process: made, started, found, stopped.

use std::fs::{DirBuilder, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::encoding::percent;

use super::binaries::Binaries;
use super::command::{psql, run};
use super::error::ClusterError;
use super::home::{Home, file, put};
use super::port;
use super::user::RunAs;

/// The superuser of a private cluster.
pub(super) const SUPERUSER: &str = "postgres";

/// Our settings, included at the end of `postgresql.conf`.
const SETTINGS_FILE: &str = "seeder.conf";

/// Who is let in. The socket's folder is the server's user's alone.
const ACCESS_FILE: &str = "pg_hba.conf";
const ACCESS: &str = "\
# Written by seeder at every start.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
";

/// How long a start may take, crash recovery included.
const START_SECONDS: u64 = 120;
/// A start fails while the processes of a killed server have not all gone, and
/// when another program takes the port in between.
const START_ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settings {
    /// What is committed survives a power cut.
    Durable,
    /// For tests, whose data die with them.
    Forgetful,
}

/// A running server, according to its pid file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) socket: PathBuf,
}

impl Postmaster {
    /// The server that runs on `data`, ready or still starting.
    pub(super) fn find(data: &Path) -> Option<Self> {
        Self::noted(data).filter(|postmaster| works_in(postmaster.pid, data))
    }

    /// Of a database, by the socket, which needs no password.
    pub(super) fn socket_url(&self, database: &str) -> String {
        let mut folder = Vec::new();
        percent(&self.socket.to_string_lossy(), &mut folder);
        let folder = String::from_utf8_lossy(&folder);
        format!("postgres://{SUPERUSER}@{folder}:{}/{database}", self.port)
    }

    /// What the pid file says, true or not.
    fn noted(data: &Path) -> Option<Self> {
        let file = File::open(pid_file(data)).ok()?;
        let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
        Some(Self {
            pid: lines.first()?.trim().parse().ok()?,
            port: lines.get(3)?.trim().parse().ok()?,
            socket: lines.get(4)?.trim().into(),
        })
    }
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// Whether process `pid` is a server on `data`: after a crash or a reboot the
/// number in the pid file may be any other program's.
fn works_in(pid: u32, data: &Path) -> bool {
    if cfg!(target_os = "linux") {
        return std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data);
    }
    let mut command = std::process::Command::new("ps");
    command.args(["-o", "command=", "-p", &pid.to_string()]);
    command.output().is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        line.contains("postgres") && line.contains(&*data.to_string_lossy())
    })
}

/// Creates the data folder, whole or not at all.
pub(super) fn init(
    home: &Home,
    binaries: &Binaries,
    user: RunAs,
    settings: Settings,
) -> Result<(), ClusterError> {
    let folder = home.unfinished();
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(file("cannot delete", &folder))?;
    }
    DirBuilder::new().mode(0o700).create(&folder).map_err(file("cannot make", &folder))?;
    user.give(&folder)?;
    let mut command = binaries.command("initdb");
    command.arg("--pgdata").arg(&folder);
    command.args(["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    if settings == Settings::Forgetful {
        command.arg("--no-sync");
    }
    user.apply(&mut command);
    run(command, "initdb")?;
    let main = folder.join("postgresql.conf");
    File::options()
        .append(true)
        .open(&main)
        .and_then(|mut conf| writeln!(conf, "include = '{SETTINGS_FILE}'"))
        .map_err(file("cannot write", &main))?;
    std::fs::rename(&folder, home.data()).map_err(file("cannot rename", &folder))
}

/// Starts it, on the port it had if that is free, and waits until it answers.
pub(super) fn start(
    home: &Home,
    binaries: &Binaries,
    user: RunAs,
    settings: Settings,
) -> Result<Postmaster, ClusterError> {
    let data = home.data();
    discard_stale_pid_file(home)?;
    let log = home.log();
    let socket = home.make_socket_folder(user)?;
    let mut attempt = 1;
    loop {
        write_access(&data, user)?;
        write_settings(&data, port::choose(&home.port_file(), user)?, &socket, user, settings)?;
        put(&log, "", user)?;
        let mut command = binaries.command("pg_ctl");
        command.args(["start", "--silent", "--wait", "--timeout", &START_SECONDS.to_string()]);
        command.arg("--pgdata").arg(&data).arg("--log").arg(&log);
        user.apply(&mut command);
        match run(command, "pg_ctl start") {
            Ok(_) => return wait_until_ready(home, binaries),
            Err(_) if attempt < START_ATTEMPTS => attempt += 1,
            Err(_) => {
                home.delete_socket_folder(&socket);
                return Err(ClusterError::NoStart { message: reason(&log), log });
            }
        }
        sleep(BETWEEN_ATTEMPTS);
    }
}

/// Postgres refuses to start where the pid file names a living process, even one
/// that is not a server. It deals with any other stale file itself, and better,
/// since it knows what of the old server may still be running.
fn discard_stale_pid_file(home: &Home) -> Result<(), ClusterError> {
    let data = home.data();
    let Some(stale) = Postmaster::noted(&data) else { return Ok(()) };
    home.delete_socket_folder(&stale.socket);
    let lives = i32::try_from(stale.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
    if lives {
        std::fs::remove_file(pid_file(&data)).map_err(file("cannot delete", &pid_file(&data)))?;
    }
    Ok(())
}

/// Asks for passwords by TCP, from the next start or reload on.
pub(super) fn write_access(data: &Path, user: RunAs) -> Result<(), ClusterError> {
    put(&data.join(ACCESS_FILE), ACCESS, user)
}

fn write_settings(
    data: &Path,
    port: u16,
    socket: &Path,
    user: RunAs,
    settings: Settings,
) -> Result<(), ClusterError> {
    let durable = match settings {
        Settings::Durable => "on",
        Settings::Forgetful => "off",
    };
    let text = format!(
        "# Written by seeder at every start.\n\
         listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         password_encryption = 'scram-sha-256'\n\
         unix_socket_permissions = 0700\n\
         unix_socket_directories = '{}'\n\
         max_connections = 200\n\
         shared_buffers = '256MB'\n\
         shared_preload_libraries = 'pg_stat_statements'\n\
         timezone = 'UTC'\n\
         fsync = {durable}\n\
         synchronous_commit = {durable}\n\
         full_page_writes = {durable}\n",
        socket.display()
    );
    put(&data.join(SETTINGS_FILE), &text, user)
}

/// Waits for a server that is there and may be recovering from a crash.
pub(super) fn wait_until_ready(
    home: &Home,
    binaries: &Binaries,
) -> Result<Postmaster, ClusterError> {
    let deadline = Instant::now() + Duration::from_secs(START_SECONDS);
    loop {
        let postmaster = Postmaster::find(&home.data());
        if let Some(postmaster) = postmaster.as_ref()
            && psql(binaries, &postmaster.socket_url("postgres"), "SELECT 1").is_ok()
        {
            return Ok(postmaster.clone());
        }
        if postmaster.is_none() || Instant::now() > deadline {
            let log = home.log();
            return Err(ClusterError::NoStart { message: reason(&log), log });
        }
        sleep(Duration::from_millis(100));
    }
}

/// Stops it as soon as running statements are aborted; nothing is lost.
pub(super) fn stop(
    home: &Home,
    binaries: &Binaries,
    user: RunAs,
    postmaster: &Postmaster,
) -> Result<(), ClusterError> {
    stop_by(home, binaries, user, postmaster, "fast")
}

/// Stops it at once, for data that are to be deleted.
pub(super) fn kill(
    home: &Home,
    binaries: &Binaries,
    user: RunAs,
    postmaster: &Postmaster,
) -> Result<(), ClusterError> {
    stop_by(home, binaries, user, postmaster, "immediate")
}

fn stop_by(
    home: &Home,
    binaries: &Binaries,
    user: RunAs,
    postmaster: &Postmaster,
    mode: &str,
) -> Result<(), ClusterError> {
    let mut command = binaries.command("pg_ctl");
    command.args(["stop", "--silent", "--wait", "--timeout", "60", "--mode", mode]);
    command.arg("--pgdata").arg(home.data());
    user.apply(&mut command);
    run(command, "pg_ctl stop")?;
    home.delete_socket_folder(&postmaster.socket);
    Ok(())
}

/// The last complaint in the server's log.
fn reason(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("FATAL") || line.contains("PANIC"))
        .or_else(|| text.lines().last());
    line.unwrap_or("no message").to_owned()
}
