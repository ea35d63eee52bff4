//! The connection to NATS, and what of it a fleet uses.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::kv::{Entry, Store, UpdateErrorKind};
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::stream::{self, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, ServerAddr};
use common::address;
use common::encoding::percent_decoded;
use common::secret::Secret;
use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::error::FleetError;
use super::names;

/// Where NATS is, and what may be trusted.
pub struct Access<'a> {
    pub url: &'a Secret,
    /// Certificates of whoever signs that of the server, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Hosts beside this machine that may be connected to.
    pub allowed: &'a [String],
    /// How long a server that does not answer is waited for.
    pub patience: Duration,
}

#[derive(Clone)]
pub struct Nats {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) runs: Store,
    pub(super) files: ObjectStore,
    is_tls: bool,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const BEGINNING: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(500);

/// A value of the bucket, and the revision at which it may be changed.
pub(super) struct Versioned<T> {
    pub value: T,
    pub revision: u64,
}

impl Nats {
    /// Connects, and makes what is missing of bucket, store and stream.
    ///
    /// # Errors
    /// When it is elsewhere and was not allowed, cannot be reached, or refuses.
    pub async fn connect(access: Access<'_>) -> Result<Self, FleetError> {
        let server: ServerAddr = access.url.expose().parse().map_err(|_| FleetError::Address)?;
        let place = format!("{}:{}", server.host(), server.port());
        address::pin(server.host(), server.port(), access.allowed)?;
        let is_tls = server.tls_required();
        let until = Instant::now() + access.patience;
        // By inboxes of its own a role is kept from hearing what another has asked for.
        let inbox = match user_of(&server).filter(|(user, _)| names::is_run(user)) {
            Some((user, _)) => format!("_INBOX_{user}"),
            None => "_INBOX".to_owned(),
        };
        let client = loop {
            let mut options = ConnectOptions::new()
                .name("replayer")
                .connection_timeout(Duration::from_secs(5))
                .request_timeout(Some(Duration::from_secs(5)))
                // One that is cut off is noticed within three seconds, as a worker is.
                .ping_interval(Duration::from_secs(1))
                .reconnect_delay_callback(|_| AGAIN)
                // Others that it may tell of were not allowed.
                .ignore_discovered_servers()
                .custom_inbox_prefix(&inbox)
                .require_tls(is_tls);
            if let Some(ca) = &access.ca {
                options = options.add_root_certificates(ca.clone());
            }
            if let Some((user, password)) = user_of(&server) {
                options = options.user_and_password(user, password);
            }
            match options.connect(server.clone()).await {
                Ok(client) => break client,
                Err(_) if Instant::now() < until => sleep(AGAIN).await,
                Err(error) => {
                    return Err(FleetError::Unreachable { place, message: error.to_string() });
                }
            }
        };
        let context = jetstream::new(client.clone());
        // A server that has just begun is not ready for it, others make the same meanwhile, and who
        // may only work waits for whoever may make them.
        let until = until.max(Instant::now() + BEGINNING);
        let (runs, files) = loop {
            match stores(&context).await {
                Ok(stores) => break stores,
                Err(_) if Instant::now() < until => sleep(AGAIN).await,
                Err(error) => return Err(error),
            }
        };
        Ok(Self { client, context, runs, files, is_tls })
    }

    /// Whether what is sent is encrypted.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The value of a key; none where there is none, or none that can be read.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        key: String,
    ) -> Result<Option<Versioned<T>>, FleetError> {
        let entry = self.runs.entry(key).await.map_err(FleetError::nats("read the plan"))?;
        Ok(entry.as_ref().and_then(read))
    }

    /// Claims a key: none where somebody has it.
    pub(super) async fn create<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<Option<u64>, FleetError> {
        use async_nats::jetstream::kv::CreateErrorKind;

        match self.runs.create(key, json(value)).await {
            Ok(revision) => Ok(Some(revision)),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(FleetError::nats("write to its bucket")(error)),
        }
    }

    /// Changes a value that has this revision: none where it has another by now.
    pub(super) async fn update<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
        revision: u64,
    ) -> Result<Option<u64>, FleetError> {
        match self.runs.update(key, json(value), revision).await {
            Ok(revision) => Ok(Some(revision)),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(None),
            Err(error) => Err(FleetError::nats("write to its bucket")(error)),
        }
    }

    /// The entries of these keys: those that are there, then each change. Begun again, with those
    /// that are there, whenever it breaks off.
    pub(super) fn watch(&self, keys: String) -> mpsc::Receiver<Entry> {
        let (sender, entries) = mpsc::channel(64);
        let runs = self.runs.clone();
        tokio::spawn(async move {
            while !sender.is_closed() {
                if let Ok(mut watch) = runs.watch_with_history(&keys).await {
                    while let Some(Ok(entry)) = watch.next().await {
                        if sender.send(entry).await.is_err() {
                            return;
                        }
                    }
                }
                sleep(AGAIN).await;
            }
        });
        entries
    }
}

/// What an entry says; none where it was removed, or is not understood.
pub(super) fn read<T: DeserializeOwned>(entry: &Entry) -> Option<Versioned<T>> {
    use async_nats::jetstream::kv::Operation;

    let value = serde_json::from_slice(&entry.value).ok();
    let value = value.filter(|_| entry.operation == Operation::Put)?;
    Some(Versioned { value, revision: entry.revision })
}

fn json<T: Serialize>(value: &T) -> bytes::Bytes {
    // What is written here has string keys and no other reason to fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// Who an address says to be, which the client does not read from it.
fn user_of(server: &ServerAddr) -> Option<(String, String)> {
    let decoded = |text: &str| percent_decoded(text, false).into_owned();
    Some((decoded(server.username()?), decoded(server.password().unwrap_or_default())))
}

/// What is there of bucket, store and stream, or is made now.
async fn stores(context: &Context) -> Result<(Store, ObjectStore), FleetError> {
    let stores = (runs(context).await?, files(context).await?);
    if context.get_stream(names::LIVE).await.is_err() {
        let live = stream::Config {
            name: names::LIVE.to_owned(),
            subjects: vec![names::SECONDS.to_owned()],
            max_age: DAY,
            duplicate_window: Duration::from_secs(120),
            num_replicas: 1,
            ..stream::Config::default()
        };
        let made = context.create_stream(live).await;
        made.map_err(FleetError::nats("make the stream of seconds"))?;
    }
    Ok(stores)
}

/// The bucket, as a stream: a server before 2.10 does not take all that the client would ask of a
/// bucket.
async fn runs(context: &Context) -> Result<Store, FleetError> {
    let what = "make the bucket of runs";
    if let Ok(runs) = context.get_key_value(names::RUNS).await {
        return Ok(runs);
    }
    let config = stream::Config {
        name: format!("KV_{}", names::RUNS),
        subjects: vec![format!("$KV.{}.>", names::RUNS)],
        max_messages_per_subject: 16,
        max_age: 7 * DAY,
        duplicate_window: Duration::from_secs(120),
        allow_rollup: true,
        deny_delete: true,
        discard: DiscardPolicy::New,
        num_replicas: 1,
        ..stream::Config::default()
    };
    context.get_or_create_stream(config).await.map_err(FleetError::nats(what))?;
    context.get_key_value(names::RUNS).await.map_err(FleetError::nats(what))
}

/// One replica: objects of some hundred MB fail at three.
async fn files(context: &Context) -> Result<ObjectStore, FleetError> {
    if let Ok(files) = context.get_object_store(names::FILES).await {
        return Ok(files);
    }
    let config = object_store::Config {
        bucket: names::FILES.to_owned(),
        max_age: 7 * DAY,
        num_replicas: 1,
        ..object_store::Config::default()
    };
    context.create_object_store(config).await.map_err(FleetError::nats("make the store of files"))
}
