//! A worker: takes a shard of a plan, has a process run it, and sends what that says and measures.
//!
//! It is a bridge. The load is a `replayer run --led` of its own, which knows nothing of NATS and is
//! led by its standard input, as the processes of one machine are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::kv::Entry;
use chrono::{DateTime, TimeDelta, Utc};
use common_net::signals::Interrupt;
use run_log::format::{EndedBy, State, Worker};
use run_log::reader::RunReader;
use tokio::process::Command;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout, timeout_at};

use super::clock;
use super::error::FleetError;
use super::files;
use super::names;
use super::nats::{Nats, Versioned, read};
use super::options;
use super::pieces::{Place, pieces};
use super::record::{Clock, FileKind, Plan, PlanState, ShardRecord, ShardState, VERSION};
use super::results;
use super::timetable::LAST_LOOK;
use crate::engine::Cut;
use crate::lead::{Local, OF_THE_OBSERVER, Order, Parts as _, Report, Said};

const BEAT: Duration = Duration::from_secs(1);
const CLOCK: Duration = Duration::from_secs(10);
/// How long it is tried to tell a lead what went wrong.
const TELL: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(500);
/// Seconds that wait to be sent while NATS is away: the directory has them all.
const WAITING: usize = 4096;

/// What this worker has and may do.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Files, and a run directory for each shard.
    pub dir: PathBuf,
    /// Files of this machine, which need not be fetched.
    pub files: BTreeMap<FileKind, PathBuf>,
    /// Hosts beside this machine that may be loaded.
    pub allowed: Vec<String>,
    /// Options of the process that are this machine's own.
    pub options: Vec<String>,
    /// The one shard that it takes, where it was told which.
    pub shard: Option<u32>,
    /// How long a directory is tried to be sent.
    pub upload: Duration,
}

/// Why a shard came to nothing here, without anything to be told.
enum Left {
    /// The lead has given the run up, or it was over.
    Ended(String),
    Failed(FleetError),
}

impl From<FleetError> for Left {
    fn from(error: FleetError) -> Self {
        Self::Failed(error)
    }
}

/// Waits for a plan with a free shard, and does it: how that ended, in words. None where it was
/// interrupted before it had one.
///
/// # Errors
/// When it cannot be done, or its directory cannot be sent.
pub async fn work(
    nats: &Nats,
    conditions: &Conditions,
    interrupts: &mut watch::Receiver<Interrupt>,
) -> Result<Option<String>, FleetError> {
    let (run, shard, plan, epoch) = tokio::select! {
        biased;
        Ok(()) = interrupts.changed() => return Ok(None),
        claimed = claim(nats, conditions) => claimed?,
    };
    common::say!("replayer: takes shard {shard} of {} of run {run}", plan.shards.len());
    let mut held = Held {
        nats: nats.clone(),
        key: names::shard(&run, shard),
        revision: epoch,
        record: ShardRecord {
            worker: me(),
            epoch: Some(epoch),
            state: ShardState::Claimed,
            clock: None,
        },
        shard,
    };
    let beat = Background(tokio::spawn(beat(nats.clone(), run.clone(), shard, epoch)));
    let work = Shard { nats, conditions, run: &run, shard, epoch, plan: &plan };
    let done = work.run(&mut held, interrupts).await;
    drop(beat);
    match done {
        Ok(how) => Ok(Some(how)),
        Err(Left::Ended(why)) => Ok(Some(format!("did not begin: {why}"))),
        Err(Left::Failed(error)) => {
            let how = format!("cannot run it: {error}");
            // A lead that is not told waits until it is lost.
            let _ = timeout(TELL, held.say(ShardState::Failed { how })).await;
            Err(error)
        }
    }
}

/// Ends with its owner.
struct Background(JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Name of this machine and process.
fn me() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", std::process::id())
}

async fn beat(nats: Nats, run: String, shard: u32, epoch: u64) {
    let mut beats = interval(BEAT);
    loop {
        beats.tick().await;
        if nats.is_connected() {
            let payload = epoch.to_string().into();
            let _ = nats.client.publish(names::beat(&run, shard), payload).await;
        }
    }
}

/// The first shard that is free of a run that gathers.
async fn claim(
    nats: &Nats,
    conditions: &Conditions,
) -> Result<(String, u32, Plan, u64), FleetError> {
    let mut entries = nats.watch(names::PLANS.to_owned());
    let mut gathering: BTreeMap<String, Plan> = BTreeMap::new();
    let mut look = interval(Duration::from_secs(1));
    let record = ShardRecord { worker: me(), epoch: None, state: ShardState::Claimed, clock: None };
    loop {
        tokio::select! {
            Some(entry) = entries.recv() => {
                let Some(run) = names::run_of_plan(&entry.key) else { continue };
                match read::<Plan>(&entry).map(|of| of.value) {
                    Some(plan) if plan.state == PlanState::Gathering => drop(gathering.insert(run.to_owned(), plan)),
                    _ => drop(gathering.remove(run)),
                }
            }
            _ = look.tick() => {}
        }
        for (run, plan) in &gathering {
            let count = u32::try_from(plan.shards.len()).unwrap_or(u32::MAX);
            let wanted = conditions.shard.map_or(1..=count, |shard| shard..=shard.min(count));
            for shard in wanted {
                let key = names::shard(run, shard);
                // While NATS is away, nothing can be claimed.
                let Ok(claimed) = nats.create(&key, &record).await else { break };
                if let Some(epoch) = claimed {
                    return Ok((run.clone(), shard, plan.clone(), epoch));
                }
            }
        }
    }
}

/// A claim that this worker has, and may lose.
struct Held {
    nats: Nats,
    key: String,
    revision: u64,
    record: ShardRecord,
    shard: u32,
}

impl Held {
    /// Says what has become of the shard, as soon as it can be said.
    async fn say(&mut self, state: ShardState) -> Result<(), FleetError> {
        self.record.state = state;
        loop {
            match self.nats.update(&self.key, &self.record, self.revision).await {
                Ok(Some(revision)) => {
                    self.revision = revision;
                    return Ok(());
                }
                Ok(None) => {
                    // What was written may have been acknowledged to nobody.
                    let found = self.nats.get::<ShardRecord>(self.key.clone()).await?;
                    match found.filter(|found| found.value.epoch == self.record.epoch) {
                        Some(Versioned { revision, .. }) => self.revision = revision,
                        None => return Err(FleetError::ClaimLost(self.shard)),
                    }
                }
                Err(_) => sleep(AGAIN).await,
            }
        }
    }
}

/// A shard that was claimed.
struct Shard<'a> {
    nats: &'a Nats,
    conditions: &'a Conditions,
    run: &'a str,
    shard: u32,
    epoch: u64,
    plan: &'a Plan,
}

impl Shard<'_> {
    async fn run(
        &self,
        held: &mut Held,
        interrupts: &mut watch::Receiver<Interrupt>,
    ) -> Result<String, Left> {
        if self.plan.version != VERSION || self.plan.tool != super::TOOL {
            let (theirs, ours) = (self.plan.tool.clone(), super::TOOL.to_owned());
            return Err(FleetError::Version { theirs, ours }.into());
        }
        let dir = self.conditions.dir.join("runs").join(self.run).join(self.shard.to_string());
        let command = self.command(&dir).await?;
        let start = |source| FleetError::Read { path: PathBuf::from("replayer"), source };
        let mut local = Local::start(vec![command]).map_err(start)?;
        let mut plans = self.nats.watch(names::plan(self.run));
        let is_ready = tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => Err(Left::Ended("it was stopped".to_owned())),
            ready = self.ready(&mut local, &mut plans, held) => ready,
        };
        if let Err(Left::Ended(why)) = &is_ready {
            let how = format!("did not begin: {why}");
            let _ = timeout(TELL, held.say(ShardState::Failed { how })).await;
        }
        is_ready?;
        let how = self.led(&mut local, &mut plans, held, interrupts).await?;
        let ended_by = ended_by(&dir);
        let Some(ended_by) = ended_by else {
            let _ = timeout(TELL, held.say(ShardState::Failed { how: how.clone() })).await;
            return Ok(how);
        };
        let (object, digest) = self.upload(&dir).await?;
        let done = ShardState::Done { object, digest, how: how.clone(), ended_by };
        let (shard, within) = (self.shard, self.conditions.upload);
        match timeout(within, held.say(done)).await {
            Ok(said) => said?,
            Err(_) => return Err(FleetError::Upload { shard, within, dir }.into()),
        }
        Ok(how)
    }

    /// The process that runs it.
    async fn command(&self, dir: &Path) -> Result<Command, FleetError> {
        let of = self.plan.shards.len();
        let plan = self.plan.shards.get(self.shard as usize - 1);
        let plan = plan.ok_or_else(|| FleetError::Unknown(self.run.to_owned()))?;
        let options = options::taken(plan, &self.conditions.allowed, &self.conditions.options)?;
        let program = std::env::current_exe();
        let program = program
            .map_err(|source| FleetError::Read { path: PathBuf::from("replayer"), source })?;
        let mut command = Command::new(program);
        command.arg("run").args(&options).args(&self.conditions.options);
        command.args(["--quiet", "--force", "--led"]);
        // The lead looks at the target, once.
        if !options.iter().any(|option| option == "--verify") {
            command.arg("--no-preflight");
        }
        command.arg(format!("--shard={}/{of}", self.shard));
        let in_one = |option: &str, path: &Path| {
            let mut both = std::ffi::OsString::from(format!("{option}="));
            both.push(path);
            both
        };
        command.arg(in_one("--out", dir));
        for (kind, file) in &self.plan.files {
            command.arg(in_one(kind.option(), &self.file(*kind, file).await?));
        }
        if options.iter().any(|option| option == "--no-observe") {
            for name in OF_THE_OBSERVER {
                command.env_remove(name);
            }
        }
        Ok(command)
    }

    /// A file of this machine of the right digest, or else one that was sent.
    async fn file(
        &self,
        kind: FileKind,
        file: &super::record::File,
    ) -> Result<PathBuf, FleetError> {
        let mut other = None;
        if let Some(path) = self.conditions.files.get(&kind) {
            let digest = files::digest_of(path).await?;
            if digest == file.digest {
                return Ok(path.clone());
            }
            other = Some(digest);
        }
        if !file.is_sent {
            return Err(FleetError::NoManifest { digest: file.digest.clone(), other });
        }
        files::cached(self.nats, self.run, file, &self.conditions.dir.join("files")).await
    }

    /// Waits until the process is ready, and says so with what the clock tells.
    async fn ready(
        &self,
        local: &mut Local,
        plans: &mut mpsc::Receiver<Entry>,
        held: &mut Held,
    ) -> Result<(), Left> {
        loop {
            tokio::select! {
                (_, said) = local.next() => match said {
                    Said::Report(Report::Ready) => break,
                    Said::Report(Report::Second { .. }) => {}
                    Said::Gone(how) => return Err(Left::Ended(format!("its process {how}"))),
                },
                Some(entry) = plans.recv() => { given_up(&entry)?; }
            }
        }
        held.record.clock = clock::probe(&self.nats.client, self.run).await;
        if held.record.clock.is_none() {
            return Err(Left::Ended("its lead does not answer".to_owned()));
        }
        Ok(held.say(ShardState::Ready).await?)
    }

    /// Has the process begin when the lead says, and sends on what it tells until it is over.
    async fn led(
        &self,
        local: &mut Local,
        plans: &mut mpsc::Receiver<Entry>,
        held: &mut Held,
        interrupts: &mut watch::Receiver<Interrupt>,
    ) -> Result<String, Left> {
        let (sender, waiting) = mpsc::channel(WAITING);
        let publisher =
            publish(self.nats.clone(), self.run.to_owned(), self.shard, self.epoch, waiting);
        let publisher = tokio::spawn(publisher);
        let clock = held.record.clock.unwrap_or(Clock { offset_us: 0, bound_us: 0 });
        let mut told = None;
        let mut begins: Option<(Instant, DateTime<Utc>)> = None;
        let mut has_begun = false;
        let mut look = interval(CLOCK);
        look.tick().await;
        let (drifts, mut drifted) = mpsc::channel(1);
        let how = loop {
            tokio::select! {
                (_, said) = local.next() => match said {
                    Said::Report(report @ Report::Second { .. }) => {
                        let Report::Second { row, .. } = &report else { continue };
                        let second = row.second;
                        let text = serde_json::to_vec(&report);
                        // A NATS that is away for longer is not waited for.
                        let _ = sender.try_send((second, text.unwrap_or_default()));
                    }
                    Said::Report(Report::Ready) => {}
                    Said::Gone(how) => break how,
                },
                Some(entry) = plans.recv() => {
                    let Some(plan) = given_up(&entry)? else { continue };
                    match plan.state {
                        PlanState::Armed { at } if begins.is_none() => {
                            let wait = at - LAST_LOOK - TimeDelta::microseconds(clock.offset_us) - Utc::now();
                            begins = Some((Instant::now() + wait.to_std().unwrap_or_default(), at));
                            let confirmed = timeout(TELL, held.say(ShardState::Armed)).await;
                            confirmed.map_err(|_| Left::Ended("its start could not be confirmed".to_owned()))??;
                        }
                        _ => {}
                    }
                    if let Some(cut) = plan.stop.filter(|cut| has_begun && told.as_ref() != Some(cut)) {
                        local.tell(&Order::Stop(cut.clone())).await;
                        told = Some(cut);
                    }
                }
                () = sleep_until(begins.map_or_else(Instant::now, |(at, _)| at)), if begins.is_some() && !has_begun => {
                    let Some((_, started)) = begins else { continue };
                    // A lead that has changed its mind, or cannot be asked: no start.
                    let plan = self.nats.get::<Plan>(names::plan(self.run)).await;
                    let is_armed = plan.is_ok_and(|plan| plan.is_some_and(|plan| {
                        plan.value.state == PlanState::Armed { at: started } && plan.value.stop.is_none()
                    }));
                    if !is_armed {
                        let how = "did not begin, as the plan did not say so any more".to_owned();
                        let _ = timeout(TELL, held.say(ShardState::Failed { how: how.clone() })).await;
                        return Err(Left::Ended(how));
                    }
                    has_begun = true;
                    let at = started - TimeDelta::microseconds(clock.offset_us);
                    local.tell(&Order::Arm { at, started }).await;
                    local.tell(&Order::Clock(self.worker(held, clock, clock))).await;
                }
                _ = look.tick(), if has_begun => {
                    let (nats, run, drifts) = (self.nats.clone(), self.run.to_owned(), drifts.clone());
                    tokio::spawn(async move {
                        if let Some(clock) = clock::probe(&nats.client, &run).await {
                            let _ = drifts.send(clock).await;
                        }
                    });
                }
                Ok(()) = interrupts.changed() => {
                    let cut = Cut::by(*interrupts.borrow_and_update());
                    match cut.filter(|_| has_begun) {
                        Some(cut) => local.tell(&Order::Stop(cut)).await,
                        None => return Err(Left::Ended("it was stopped".to_owned())),
                    }
                }
                Some(now) = drifted.recv() => {
                    local.tell(&Order::Clock(self.worker(held, clock, now))).await;
                }
            }
        };
        drop(sender);
        // What was not sent is in the directory; the lead waits no longer for it than for that.
        let _ = tokio::time::timeout(Duration::from_secs(5), publisher).await;
        Ok(how)
    }

    fn worker(&self, held: &Held, first: Clock, now: Clock) -> Worker {
        Worker {
            shard: self.shard,
            name: held.record.worker.clone(),
            offset_us: first.offset_us,
            bound_us: first.bound_us,
            drift_us: now.offset_us - first.offset_us,
        }
    }

    /// Sends the run directory, for as long as may be tried.
    async fn upload(&self, dir: &Path) -> Result<(String, String), FleetError> {
        let packed = dir.with_extension("tar.zst");
        let (from, to) = (dir.to_owned(), packed.clone());
        let is_packed = tokio::task::spawn_blocking(move || results::pack(&from, &to)).await;
        let is_packed = is_packed.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        is_packed.map_err(|source| FleetError::Write { path: packed.clone(), source })?;
        let digest = files::digest_of(&packed).await?;
        let object = names::result(self.run, self.shard, self.epoch);
        let until = Instant::now() + self.conditions.upload;
        let sent = async {
            while !self.nats.is_connected()
                || files::send(self.nats, &packed, &object).await.is_err()
            {
                sleep(AGAIN).await;
            }
        };
        let sent = timeout_at(until, sent).await;
        // The directory itself stays.
        let _ = std::fs::remove_file(&packed);
        let (shard, within, dir) = (self.shard, self.conditions.upload, dir.to_owned());
        sent.map_err(|_| FleetError::Upload { shard, within, dir })?;
        Ok((object, digest))
    }
}

/// The plan, unless the lead has given the run up.
fn given_up(entry: &Entry) -> Result<Option<Plan>, Left> {
    let plan = read::<Plan>(entry).map(|of| of.value);
    match plan.as_ref().map(|plan| &plan.state) {
        Some(PlanState::Aborted { why }) => Err(Left::Ended(why.clone())),
        Some(PlanState::Over) => Err(Left::Ended("its run is over".to_owned())),
        _ => Ok(plan),
    }
}

/// What a run in a directory ended by; none where it was not finished.
fn ended_by(dir: &Path) -> Option<Option<EndedBy>> {
    let reader = RunReader::open(dir).ok()?;
    let run = reader.run();
    (run.state == State::Finished).then(|| run.ended_by.clone())
}

/// Sends seconds in their order, each until it is acknowledged.
async fn publish(
    nats: Nats,
    run: String,
    shard: u32,
    epoch: u64,
    mut waiting: mpsc::Receiver<(u64, Vec<u8>)>,
) {
    while let Some((second, text)) = waiting.recv().await {
        let parts = pieces(&text);
        for (index, part) in parts.iter().enumerate() {
            let id = Place { shard, epoch, second, index, of: parts.len() }.id(&run);
            loop {
                let mut headers = HeaderMap::new();
                headers.insert("Nats-Msg-Id", id.as_str());
                let subject = names::second(&run, shard);
                let payload = part.to_vec().into();
                let sent = nats.context.publish_with_headers(subject, headers, payload).await;
                if let Ok(acknowledged) = sent
                    && acknowledged.await.is_ok()
                {
                    break;
                }
                sleep(AGAIN).await;
            }
        }
    }
}
