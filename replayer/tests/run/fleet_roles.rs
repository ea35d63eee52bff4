//! A fleet whose NATS is as `deploy/nats.conf` has it: TLS, and three roles that may do their own
//! work and no more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use async_nats::jetstream::kv::Store;
use async_nats::{Client, ConnectOptions, Event, jetstream};
use run_log::outcome::Outcome;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::support::{Answer, Peer, Server, TraceBuilder, Workplace, free_port, loopback};

const PASSWORD: &str = "lent@given";
/// It as a part of an address.
const IN_ADDRESS: &str = "lent%40given";

/// Ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Nats {
    _server: Peer,
    port: u16,
    folder: TempDir,
}

impl Nats {
    /// None where this machine has no such program.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(path("cert.pem"), made.cert.pem()).unwrap();
        fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let port = free_port();
        let mut command = Command::new("nats-server");
        command
            .arg("--config")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats.conf"))
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .env("NATS_STORE", path("store"))
            .env("NATS_TLS_CERT", path("cert.pem"))
            .env("NATS_TLS_KEY", path("key.pem"))
            .envs(["NATS_LEAD", "NATS_WORKER", "NATS_WATCHER"].map(|name| (name, PASSWORD)));
        let Some(server) = Peer::start(command, loopback(port), &path("log")) else {
            eprintln!("nats-server is missing here: the roles of a fleet are not tested");
            return None;
        };
        Some(Self { _server: server, port, folder })
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// `replayer fleet`, as a role.
    fn fleet(&self, command: &str, role: &str) -> Command {
        let mut replayer = Command::new(env!("CARGO_BIN_EXE_replayer"));
        let address = format!("tls://{role}:{IN_ADDRESS}@127.0.0.1:{}", self.port);
        replayer.args(["fleet", command, "--nats-ca"]).arg(self.ca()).env("NATS_URL", address);
        replayer
    }

    /// A client of a role that does what it likes, and what the server refused it.
    async fn client(&self, role: &str) -> (Client, mpsc::UnboundedReceiver<String>) {
        let (sender, refused) = mpsc::unbounded_channel();
        let client = ConnectOptions::with_user_and_password(role.to_owned(), PASSWORD.to_owned())
            .add_root_certificates(self.ca())
            .custom_inbox_prefix(format!("_INBOX_{role}"))
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    drop(sender.send(error.to_string()));
                }
                std::future::ready(())
            })
            .connect(format!("tls://127.0.0.1:{}", self.port))
            .await
            .unwrap();
        (client, refused)
    }
}

async fn runs(client: &Client) -> Store {
    jetstream::new(client.clone()).get_key_value("replay_runs").await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A run by three roles, of a server that no worker could make a stream on.
fn run(nats: &Nats, place: &Workplace) {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    // They are there before the lead.
    let workers = ["a", "b"].map(|name| {
        let mut worker = nats.fleet("work", "worker");
        worker.arg("--once").arg("--dir").arg(place.path(name));
        let log = File::create(place.path(&format!("{name}.log"))).unwrap();
        Process(worker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    });
    let mut lead = nats.fleet("run", "lead");
    lead.args(["--run", "roles", "--shards", "2", "--send-manifest", "--clones", "10", "--trace"])
        .arg(place.path("t.trace.jsonl.zst"))
        .arg("--manifest")
        .arg(place.path("manifest.json"))
        .args(["--target", &server.url(), "--no-preflight", "--quiet", "--out"])
        .arg(place.path("out"));
    let ran = place.ran(lead.output().unwrap());
    let log = |name: &str| fs::read_to_string(place.path(&format!("{name}.log"))).unwrap();
    assert_eq!(ran.code_but_for_lag(), Some(0), "{}{}{}", ran.stderr, log("a"), log("b"));
    let run = ran.checked();
    assert_eq!((run.workers.len(), run.totals.outcomes[Outcome::Completed]), (2, 120));
    assert_eq!(server.asked().len(), 120);
    for mut worker in workers {
        assert_eq!(worker.0.wait().unwrap().code(), Some(0), "{}{}", log("a"), log("b"));
    }
    let status = nats.fleet("status", "watcher").output().unwrap();
    assert!(text(&status).starts_with("roles  over\n"), "{}", text(&status));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_roles_run_a_fleet_and_each_is_refused_what_is_another_s() {
    let Some(nats) = Nats::start() else { return };
    let steps = [(0, "GET", "/a"), (200, "GET", "/b")];
    let trace = (0..6).fold(TraceBuilder::default(), |of, n| of.session(&format!("s{n}"), &steps));
    let place = Workplace::new(&trace, 1);
    tokio::task::block_in_place(|| run(&nats, &place));

    let (lead, _) = nats.client("lead").await;
    let plan = runs(&lead).await.entry("roles.plan").await.unwrap().unwrap();
    for (role, key) in
        [("worker", "roles.plan"), ("watcher", "roles.plan"), ("watcher", "roles.shard.1")]
    {
        let (client, mut refused) = nats.client(role).await;
        client.publish(format!("$KV.replay_runs.{key}"), "forged".into()).await.unwrap();
        client.flush().await.unwrap();
        let refusal = refused.recv().await.unwrap().to_lowercase();
        assert!(refusal.contains("permissions violation") && refusal.contains(key), "{refusal}");
    }
    // Nor can it have the server write it, as the answer to what it may ask.
    let (worker, _) = nats.client("worker").await;
    worker.publish("$O.replay_files.M.forged", "{}".into()).await.unwrap();
    for (subject, question) in [
        (
            "$JS.API.STREAM.MSG.GET.KV_replay_runs",
            r#"{"last_by_subj":"$KV.replay_runs.roles.plan"}"#,
        ),
        ("$JS.API.DIRECT.GET.OBJ_replay_files.$O.replay_files.M.forged", ""),
    ] {
        let to = "$KV.replay_runs.roles.plan";
        worker.publish_with_reply(subject, to, question.into()).await.unwrap();
        // Answers come in the order of questions.
        let asked = jetstream::new(worker.clone()).get_object_store("replay_files").await;
        asked.unwrap().info("forged").await.unwrap_err();
    }
    let now = runs(&lead).await.entry("roles.plan").await.unwrap().unwrap();
    assert_eq!((now.revision, now.value), (plan.revision, plan.value));
    // What it may do it can: else the refusals would tell nothing.
    runs(&worker).await.put("other.shard.1", "{}".into()).await.unwrap();

    // The manifest was sent: a watcher can neither fetch it, nor hear it fetched.
    let (watcher, mut refused) = nats.client("watcher").await;
    watcher.publish("$JS.API.CONSUMER.CREATE.OBJ_replay_files", "{}".into()).await.unwrap();
    let _heard = watcher.subscribe("_INBOX_worker.>").await.unwrap();
    watcher.flush().await.unwrap();
    for subject in ["$js.api.consumer.create.obj_replay_files", "_inbox_worker.>"] {
        let refusal = refused.recv().await.unwrap().to_lowercase();
        assert!(refusal.contains(subject), "{refusal}");
    }
    let stranger = nats.fleet("status", "nobody").output().unwrap();
    assert_eq!(stranger.status.code(), Some(4), "{}", text(&stranger));
}
