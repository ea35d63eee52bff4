//! The workers of a run as its lead sees them: the parts of a [`crate::lead::Lead`].

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::kv::Entry;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use run_log::format::EndedBy;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use super::clock;
use super::error::FleetError;
use super::files;
use super::names;
use super::nats::{Nats, Versioned, read};
use super::pieces::{Pieces, Place};
use super::record::{File, Plan, PlanState, ShardPlan, ShardRecord, ShardState, VERSION};
use super::results;
use super::timetable::{ARMED, CONFIRMED};
use crate::engine::WorkerSeen;
use crate::lead::{Order, Parts, Report, Said};

/// After so long without a beat, of which there is one a second, a worker is lost.
const LOST: Duration = Duration::from_millis(3500);
const LOOK: Duration = Duration::from_millis(250);
/// They are armed so many round trips ahead, where that is longer.
const ROUND_TRIPS: i32 = 20;
/// A clock that is known less exactly is told of, or refused.
const INEXACT_US: u64 = 5_000;
const UNKNOWN_US: u64 = 50_000;
/// How long a lead whose NATS is gone waits for it once the run should be over.
const NATS_BACK: Duration = Duration::from_secs(15);

/// What is to be run.
pub struct NewPlan {
    pub run: String,
    pub shards: Vec<ShardPlan>,
    pub files: std::collections::BTreeMap<super::record::FileKind, File>,
}

/// What is known of a shard.
struct Slot {
    /// Who has it: its claim's revision, the record's, and what it says.
    claim: Option<Claim>,
    heard: Instant,
    is_gone: bool,
    is_ready_said: bool,
}

#[derive(Clone)]
struct Claim {
    epoch: u64,
    revision: u64,
    record: ShardRecord,
}

impl Slot {
    fn is(&self, state: &ShardState) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.record.state == *state)
    }
}

pub struct Remote {
    nats: Nats,
    run: String,
    plan: Versioned<Plan>,
    slots: Vec<Slot>,
    /// Shards may be claimed until then; none once all are armed.
    gather_until: Option<Instant>,
    entries: mpsc::Receiver<Entry>,
    seconds: mpsc::Receiver<(Place, Vec<u8>)>,
    beats: mpsc::Receiver<(u32, u64)>,
    pieces: Pieces,
    pending: VecDeque<(usize, Said)>,
    look: tokio::time::Interval,
    was_connected: Option<Instant>,
    /// When the run should be over, if it is known.
    over_at: Option<Instant>,
    /// What came of workers that are none of this run any more.
    pub ignored: u64,
}

impl Remote {
    /// Writes a plan, for workers to see.
    ///
    /// # Errors
    /// When there is a run of that name.
    pub async fn begin(nats: Nats, new: NewPlan, gather: Duration) -> Result<Self, FleetError> {
        let NewPlan { run, shards, files } = new;
        let plan = Plan {
            version: VERSION,
            tool: super::TOOL.to_owned(),
            begun: Utc::now(),
            shards,
            files,
            state: PlanState::Gathering,
            stop: None,
        };
        let revision = nats.create(&names::plan(&run), &plan).await?;
        let revision = revision.ok_or_else(|| FleetError::Exists(run.clone()))?;
        clock::serve(&nats.client, &run).await?;
        let mut remote = Self::of(nats, run, Versioned { value: plan, revision }).await?;
        remote.gather_until = Some(Instant::now() + gather);
        Ok(remote)
    }

    /// Takes up a run that somebody else has begun.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn resume(nats: Nats, run: String) -> Result<Self, FleetError> {
        let plan = nats.get(names::plan(&run)).await?;
        let plan = plan.ok_or_else(|| FleetError::Unknown(run.clone()))?;
        // A lead that is gone has nobody left to gather for.
        Self::of(nats, run, plan).await
    }

    async fn of(nats: Nats, run: String, plan: Versioned<Plan>) -> Result<Self, FleetError> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let slot =
            || Slot { claim: None, heard: Instant::now(), is_gone: false, is_ready_said: false };
        Ok(Self {
            entries: nats.watch(names::shards(&run)),
            seconds: seconds(&nats, &run),
            beats: beats(&nats, &run).await?,
            slots: plan.value.shards.iter().map(|_| slot()).collect(),
            nats,
            run,
            plan,
            gather_until: None,
            pieces: Pieces::default(),
            pending: VecDeque::new(),
            look,
            was_connected: Some(Instant::now()),
            over_at: None,
            ignored: 0,
        })
    }

    pub fn run(&self) -> &str {
        &self.run
    }

    pub fn plan(&self) -> &Plan {
        &self.plan.value
    }

    /// Waits until every worker has beaten once more after all were ready: one of them may have gone
    /// since, and its shard may have to find another.
    ///
    /// # Errors
    /// In words, when there will be no such moment.
    pub async fn all_there(&mut self) -> Result<(), String> {
        let mut ready_since = None;
        loop {
            self.none_gone()?;
            ready_since = match self.slots.iter().all(|slot| slot.is(&ShardState::Ready)) {
                true => ready_since.or_else(|| Some(Instant::now())),
                false => None,
            };
            if ready_since.is_some_and(|since| self.slots.iter().all(|slot| slot.heard > since)) {
                break;
            }
            self.step().await;
        }
        Ok(())
    }

    fn none_gone(&self) -> Result<(), String> {
        match self.slots.iter().position(|slot| slot.is_gone) {
            Some(gone) => Err(format!("shard {} was lost before it", gone + 1)),
            None => Ok(()),
        }
    }

    /// Waits until shortly before second 0: while nothing was sent, a loss need not become a part of
    /// the run.
    ///
    /// # Errors
    /// In words, when a worker is lost meanwhile.
    pub async fn all_there_until(&mut self, at: DateTime<Utc>) -> Result<(), String> {
        let wait = (at - CONFIRMED - Utc::now()).to_std().unwrap_or_default();
        let until = Instant::now() + wait;
        while Instant::now() < until {
            self.none_gone()?;
            let _ = timeout_at(until, self.step()).await;
        }
        self.none_gone()
    }

    /// When second 0 can be: late enough for every worker to learn of it.
    pub fn soonest(&self) -> DateTime<Utc> {
        let clocks = self.slots.iter().filter_map(|slot| slot.claim.as_ref()?.record.clock);
        let bounds = clocks.map(|clock| clock.bound_us);
        let round_trip = 2 * i64::try_from(bounds.max().unwrap_or(0)).unwrap_or(i64::MAX / 2);
        Utc::now() + ARMED.max(TimeDelta::microseconds(round_trip) * ROUND_TRIPS)
    }

    /// What of the run was told to end it, where a worker has said so.
    pub fn ended_by(&self, shard: usize) -> Option<EndedBy> {
        match &self.slots.get(shard)?.claim.as_ref()?.record.state {
            ShardState::Done { ended_by, .. } => ended_by.clone(),
            _ => None,
        }
    }

    /// When the run should be over, after which a NATS that is gone is not waited for long.
    pub fn over_by(&mut self, at: Instant) {
        self.over_at = Some(at);
    }

    /// Fetches the directories of the shards that are done into folders of their numbers; which.
    ///
    /// # Errors
    /// When one of them is not what its worker says, or cannot be written.
    pub async fn collect(&mut self, folder: &Path) -> Result<Vec<u32>, FleetError> {
        let mut collected = Vec::new();
        for (shard, slot) in (1..).zip(&self.slots) {
            let Some(Claim { record, .. }) = &slot.claim else { continue };
            let ShardState::Done { object, digest, .. } = &record.state else { continue };
            let dir = folder.join(shard.to_string());
            let packed = dir.with_extension("tar.zst");
            let unwritten = |path: &Path| {
                let path = path.to_owned();
                move |source| FleetError::Write { path, source }
            };
            std::fs::create_dir_all(folder).map_err(unwritten(folder))?;
            let found = files::fetch(&self.nats, object, &packed).await?;
            if found != *digest {
                return Err(FleetError::Digest {
                    what: format!("the directory of shard {shard}"),
                    run: self.run.clone(),
                    found,
                    expected: digest.clone(),
                });
            }
            results::unpack(&packed, &dir).map_err(unwritten(&dir))?;
            std::fs::remove_file(&packed).map_err(unwritten(&packed))?;
            collected.push(shard);
        }
        Ok(collected)
    }

    /// Says that the run was collected, or that it never began.
    pub async fn close(&mut self, state: PlanState) {
        // What nobody hears is in the run directory.
        let _ = self.change(|plan| plan.state = state).await;
    }

    /// The lead alone changes the plan, so that another revision means another lead.
    async fn change(&mut self, change: impl FnOnce(&mut Plan)) -> Result<(), FleetError> {
        change(&mut self.plan.value);
        let key = names::plan(&self.run);
        let revision = self.nats.update(&key, &self.plan.value, self.plan.revision).await?;
        self.plan.revision = revision.ok_or_else(|| FleetError::Nats {
            what: "change the plan",
            message: "another lead has changed it".to_owned(),
        })?;
        Ok(())
    }

    /// One thing that happened.
    async fn step(&mut self) {
        tokio::select! {
            Some(entry) = self.entries.recv() => self.entry(&entry),
            Some((place, piece)) = self.seconds.recv() => self.second(place, &piece),
            Some((shard, epoch)) = self.beats.recv() => self.beat(shard, epoch),
            _ = self.look.tick() => self.look().await,
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let index = names::number(&entry.key).and_then(|shard| shard.checked_sub(1));
        let Some((index, slot)) = index
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| Some((index, self.slots.get_mut(index)?)))
        else {
            return;
        };
        let Some(Versioned { value: record, revision }) = read::<ShardRecord>(entry) else {
            slot.claim = None;
            return;
        };
        if slot.claim.as_ref().is_some_and(|claim| claim.revision >= revision) {
            return;
        }
        slot.heard = Instant::now();
        let epoch = record.epoch.unwrap_or(revision);
        if slot.claim.as_ref().is_none_or(|claim| claim.epoch != epoch) {
            slot.is_ready_said = false;
        }
        let inexact = record.clock.filter(|clock| clock.bound_us > INEXACT_US);
        let said = match &record.state {
            ShardState::Ready if !slot.is_ready_said => {
                slot.is_ready_said = true;
                match inexact {
                    Some(clock) if clock.bound_us > UNKNOWN_US => Some(Said::Gone(format!(
                        "has a clock that is known to ± {} ms only",
                        clock.bound_us / 1000
                    ))),
                    Some(clock) => {
                        common::say!(
                            "replayer: the clock of {} is known to ± {:.1} ms only",
                            record.worker,
                            clock.bound_us as f64 / 1e3
                        );
                        Some(Said::Report(Report::Ready))
                    }
                    None => Some(Said::Report(Report::Ready)),
                }
            }
            ShardState::Done { how, .. } | ShardState::Failed { how } if !slot.is_gone => {
                Some(Said::Gone(format!("on {} {how}", record.worker)))
            }
            _ => None,
        };
        slot.is_gone |= matches!(said, Some(Said::Gone(_)));
        slot.claim = Some(Claim { epoch, revision, record });
        self.pending.extend(said.map(|said| (index, said)));
    }

    fn second(&mut self, place: Place, piece: &[u8]) {
        let index = place.shard.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let claim = index.and_then(|index| self.slots.get(index)?.claim.as_ref());
        let (Some(index), true) = (index, claim.is_some_and(|claim| claim.epoch == place.epoch))
        else {
            self.ignored += 1;
            return;
        };
        let Some(text) = self.pieces.add(place, piece) else { return };
        if let Ok(report) = serde_json::from_slice(&text) {
            self.pending.push_back((index, Said::Report(report)));
        }
    }

    fn beat(&mut self, shard: u32, epoch: u64) {
        let slot = shard.checked_sub(1).and_then(|index| self.slots.get_mut(index as usize));
        match slot {
            Some(slot) if slot.claim.as_ref().is_some_and(|claim| claim.epoch == epoch) => {
                slot.heard = Instant::now();
            }
            _ => self.ignored += 1,
        }
    }

    /// Who has not been heard of for too long is lost, unless it is this end that is cut off.
    async fn look(&mut self) {
        let now = Instant::now();
        if !self.nats.is_connected() {
            self.was_connected = None;
            if self.over_at.is_some_and(|over| now > over + NATS_BACK) {
                self.all_gone("was not heard of, as NATS is gone");
            }
            return;
        }
        let since = *self.was_connected.get_or_insert(now);
        let is_lost = |slot: &Slot| now - slot.heard.max(since) > LOST;
        if let Some(until) = self.gather_until {
            for (shard, slot) in (1..).zip(&mut self.slots) {
                let claim = slot.claim.clone().filter(|_| is_lost(slot));
                if let Some(Claim { revision, record, .. }) = claim {
                    common::say!(
                        "replayer: {} has said nothing for 3 s; shard {shard} is free again",
                        record.worker
                    );
                    let key = names::shard(&self.run, shard);
                    // One that has changed meanwhile is not lost.
                    let _ = self.nats.runs.delete_expect_revision(&key, Some(revision)).await;
                    slot.claim = None;
                    slot.is_ready_said = false;
                }
            }
            if now > until {
                let missing: Vec<String> = (1..)
                    .zip(&self.slots)
                    .filter(|(_, slot)| !slot.is(&ShardState::Ready))
                    .map(|(shard, _): (u32, _)| shard.to_string())
                    .collect();
                if !missing.is_empty() {
                    self.all_gone(&format!(
                        "had no worker that was ready in time (missing: {})",
                        missing.join(", ")
                    ));
                }
            }
            return;
        }
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !slot.is_gone && is_lost(slot) {
                slot.is_gone = true;
                let who = slot.claim.as_ref().map_or("its worker", |claim| &claim.record.worker);
                let said = Said::Gone(format!("on {who} said nothing for 3 s"));
                self.pending.push_back((index, said));
            }
        }
    }

    fn all_gone(&mut self, how: &str) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !std::mem::replace(&mut slot.is_gone, true) {
                self.pending.push_back((index, Said::Gone(how.to_owned())));
            }
        }
    }

    /// Waits until every shard is done or failed, or its worker is lost, for at most as long.
    pub async fn settled(&mut self, within: Duration) {
        let until = Instant::now() + within;
        let is_open = |slot: &Slot| {
            let state = slot.claim.as_ref().map(|claim| &claim.record.state);
            let is_over =
                matches!(state, Some(ShardState::Done { .. } | ShardState::Failed { .. }));
            !is_over && (slot.heard.elapsed() < LOST || !slot.is_gone)
        };
        while self.slots.iter().any(is_open) && Instant::now() < until {
            let _ = timeout_at(until, self.step()).await;
        }
        self.pending.clear();
    }
}

impl Parts for Remote {
    fn count(&self) -> usize {
        self.slots.len()
    }

    async fn next(&mut self) -> (usize, Said) {
        loop {
            if let Some(said) = self.pending.pop_front() {
                return said;
            }
            self.step().await;
        }
    }

    async fn arm(&mut self, at: DateTime<Utc>) -> Result<(), String> {
        if at - Utc::now() < CONFIRMED * 2 {
            return Err(format!("no time is left to get ready for {at}"));
        }
        self.change(|plan| plan.state = PlanState::Armed { at })
            .await
            .map_err(|error| error.to_string())?;
        self.gather_until = None;
        let wait = (at - CONFIRMED - Utc::now()).to_std().unwrap_or_default();
        let until = Instant::now() + wait;
        while !self.slots.iter().all(|slot| slot.is(&ShardState::Armed)) {
            if timeout_at(until, self.step()).await.is_err() || Instant::now() >= until {
                let late: Vec<String> = (1..)
                    .zip(&self.slots)
                    .filter(|(_, slot)| !slot.is(&ShardState::Armed))
                    .map(|(shard, _): (u32, _)| shard.to_string())
                    .collect();
                let why = format!("shard {} did not confirm its start in time", late.join(", "));
                self.close(PlanState::Aborted { why: why.clone() }).await;
                return Err(why);
            }
        }
        Ok(())
    }

    fn workers(&self) -> Vec<WorkerSeen> {
        let seen = |(shard, slot): (usize, &Slot)| {
            let record = slot.claim.as_ref().map(|claim| &claim.record);
            let clock = record.and_then(|record| record.clock);
            WorkerSeen {
                shard,
                name: record.map(|record| record.worker.clone()).unwrap_or_default(),
                state: match record.map(|record| &record.state) {
                    Some(state @ (ShardState::Done { .. } | ShardState::Failed { .. })) => {
                        state.name()
                    }
                    _ if slot.is_gone => "lost",
                    _ => "running",
                },
                offset_us: clock.map(|clock| clock.offset_us),
                bound_us: clock.map(|clock| clock.bound_us),
                silent_s: slot.heard.elapsed().as_secs_f64(),
                lag_p99_us: None,
            }
        };
        (1..).zip(&self.slots).map(seen).collect()
    }

    async fn tell(&mut self, order: &Order) {
        if let Order::Stop(cut) = order {
            // Workers read it in the plan, whenever they are back.
            let _ = self.change(|plan| plan.stop = Some(cut.clone())).await;
        }
    }
}

/// The pieces of seconds, in the order of the stream; begun again behind the last one whenever it
/// breaks off.
fn seconds(nats: &Nats, run: &str) -> mpsc::Receiver<(Place, Vec<u8>)> {
    let (sender, seconds) = mpsc::channel(256);
    let (context, filter_subject) = (nats.context.clone(), names::seconds(run));
    tokio::spawn(async move {
        let mut last = 0;
        while !sender.is_closed() {
            let config = pull::OrderedConfig {
                filter_subject: filter_subject.clone(),
                deliver_policy: match last {
                    0 => DeliverPolicy::All,
                    last => DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
                },
                ..pull::OrderedConfig::default()
            };
            let consumer = async {
                let stream = context.get_stream(names::LIVE).await.ok()?;
                stream.create_consumer(config).await.ok()?.messages().await.ok()
            };
            if let Some(mut messages) = consumer.await {
                while let Some(Ok(message)) = messages.next().await {
                    last = message.info().map_or(last, |info| info.stream_sequence);
                    let id = message.headers.as_ref().and_then(|of| of.get("Nats-Msg-Id"));
                    let Some(place) = id.and_then(|id| Place::of_id(id.as_str())) else { continue };
                    if sender.send((place, message.payload.to_vec())).await.is_err() {
                        return;
                    }
                }
            }
            sleep(Duration::from_millis(500)).await;
        }
    });
    seconds
}

/// Who beats: shard and epoch.
async fn beats(nats: &Nats, run: &str) -> Result<mpsc::Receiver<(u32, u64)>, FleetError> {
    let (sender, beats) = mpsc::channel(256);
    let beating = nats.client.subscribe(names::beats(run)).await;
    let mut beating = beating.map_err(FleetError::nats("hear the workers"))?;
    tokio::spawn(async move {
        while let Some(beat) = beating.next().await {
            let epoch = std::str::from_utf8(&beat.payload).ok().and_then(|text| text.parse().ok());
            let Some(beat) = names::number(&beat.subject).zip(epoch) else { continue };
            if sender.send(beat).await.is_err() {
                return;
            }
        }
    });
    Ok(beats)
}
