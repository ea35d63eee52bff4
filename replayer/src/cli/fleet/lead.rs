//! `replayer fleet run`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use clap::{Args as ClapArgs, ValueEnum};
use common::exit::{Exit, one_line};
use common_net::runtime;
use common_net::signals::Interrupt;
use run_log::format::EndedBy;
use rustix::process::Signal;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::access::{NatsArgs, run_name};
use super::collect::collected;
use crate::cli::asked::Asked;
use crate::cli::audited;
use crate::cli::dry_run::print_plan;
use crate::cli::finish::exit_of;
use crate::cli::input::Files;
use crate::cli::lead::{Led, Part, armed_for, ended, follow, options_of, parts_of, watched, whole};
use crate::cli::live::shown;
use crate::cli::one_run::{Ended, Fired, ReadyRun, announce_stop};
use crate::cli::preflight::preflighted;
use crate::cli::run_args::{self, Conduct};
use crate::cli::signals::{WatchSignals, interrupts};
use crate::cli::summary::{print_summary, say_refusal};
use crate::error::Error;
use crate::fleet::{
    File, FileKind, FleetError, Nats, NewPlan, PlanState, Remote, ShardPlan, offer, planned_options,
};
use crate::lead::{Lead, LeadError};
use crate::live::View;
use run_log::writer::RunWriter;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnLost {
    /// The others go on, and the run is invalid
    GoOn,
    /// All end
    Stop,
}

#[derive(Debug, ClapArgs)]
#[group(id = "fleet")]
pub(super) struct Args {
    #[command(flatten)]
    nats: NatsArgs,
    /// Into how many parts the load is shared, each run by a worker
    #[arg(long, value_name = "N", conflicts_with_all = ["shard", "processes"])]
    shards: NonZeroU32,
    /// Name of the run, by which `status` and `resume` know it; drawn, if not given
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    run: Option<String>,
    /// How long workers are waited for
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    gather: Duration,
    /// What a worker that is lost while the load goes on means for the others
    #[arg(long, value_enum, default_value_t = OnLost::GoOn)]
    on_lost: OnLost,
    /// Send the manifest, too, which has passwords; refused without TLS
    #[arg(long)]
    send_manifest: bool,
    #[command(flatten)]
    args: run_args::Args,
}

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let run_args::Args { input, load, conduct, verify, start_at, .. } = &args.args;
    let conduct = Conduct { processes: Some(args.shards), ..conduct.clone() };
    let (verify, start_at) = (*verify, *start_at);
    let asked = Asked { input, load, conduct: &conduct, verify, shard: None, start_at, led: false };
    let ready = ReadyRun::new(&asked)?;
    if args.args.dry_run {
        ready.ready.say_notices();
        print_plan(&ready.ready, &ready.planned, args.args.json)?;
        return Ok(Exit::Good);
    }
    ready.ready.say_notices();
    let out = args.args.out.clone().unwrap_or_default();
    shown(&conduct, watch, |view| {
        let watch = || interrupts(view, watch);
        let Ended { collector, run, judged } = match fire(ready, args, &out, view, watch)? {
            Fired::Ended(ended) => *ended,
            Fired::NotBegun(exit) => return Ok(exit),
        };
        print_summary(&run, &judged, &out, args.args.json)?;
        say_refusal(&run, collector.refusal.as_ref());
        Ok(exit_of(&run, &judged.conclusion, verify.then_some(args.args.min_fidelity)))
    })
}

fn fire(
    ready_run: ReadyRun<'_>,
    args: &Args,
    out: &Path,
    view: Option<&View>,
    watch: impl FnOnce() -> std::io::Result<watch::Receiver<Interrupt>>,
) -> Result<Fired, Error> {
    let force = args.args.force;
    let record = view.map(|_| ready_run.initial_record());
    audited::check(ready_run.asked, &ready_run.choices, &ready_run.ready.plan.endpoints)?;
    let ReadyRun { asked, choices, ready, planned, .. } = ready_run;
    let parts = parts_of(planned.shards.iter().map(|share| share.users), out);
    let whole = whole(&ready, &choices, &planned);
    let length = planned.schedule.length_s(&ready.plan, &choices.load);
    let length = Duration::try_from_secs_f64(length).unwrap_or_default() + choices.grace;
    let files = asked.input.files(choices.scenario.as_ref())?;
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let led = runtime.block_on(async {
        RunWriter::check(out, force)?;
        let mut interrupts = watch().map_err(Error::Runtime)?;
        tokio::spawn(announce_stop(interrupts.clone()));
        let later = interrupts.clone();
        let before = async {
            let nats = args.nats.connect(&asked.input.allow_host, Duration::ZERO).await?;
            let plan = NewPlan {
                run: args.run.clone().unwrap_or_else(|| drawn(out)),
                shards: parts
                    .iter()
                    .map(|part| shard(asked, &ready.http.destination, part))
                    .collect(),
                files: offered(&nats, args, files).await?,
            };
            let remote = Remote::begin(nats, plan, args.gather).await?;
            let run = remote.run();
            common::say!("replayer: run {run} waits for {} workers", parts.len());
            Ok::<_, Error>(remote)
        };
        let remote = tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => return Ok(Err(interrupts.borrow().exit())),
            remote = before => remote?,
        };
        let mut lead = Lead::of(remote, interrupts.clone());
        let armed = async {
            if let Some(exit) = lead.gather().await? {
                return Ok(Err(exit));
            }
            let probes = tokio::select! {
                biased;
                Ok(()) = interrupts.changed() => return Ok(Err(interrupts.borrow().exit())),
                sent = preflighted(asked, &choices, &ready, &planned.room) => sent?,
            };
            lead.parts().all_there().await.map_err(LeadError::NotArmed)?;
            let at = armed_for(asked.start_at, lead.parts().soonest())?;
            lead.arm(at).await?;
            tokio::select! {
                biased;
                Ok(()) = interrupts.changed() => return Ok(Err(interrupts.borrow().exit())),
                kept = lead.parts().all_there_until(at) => kept.map_err(LeadError::NotArmed)?,
            }
            Ok::<_, Error>(Ok((at, probes)))
        };
        let armed = armed.await;
        let (at, probes) = match armed {
            Ok(Ok(armed)) => armed,
            Ok(Err(exit)) => {
                abort(lead.parts(), "its lead was stopped".to_owned()).await;
                return Ok(Err(exit));
            }
            Err(error) => {
                abort(lead.parts(), one_line("its lead", &error)).await;
                return Err(error);
            }
        };
        // The workers have the trace, too.
        drop(ready);
        let wait = (at - Utc::now()).to_std().unwrap_or_default();
        lead.parts().over_by(Instant::now() + wait + length);
        let watched = watched(view.zip(record), at, &whole, &choices);
        let on_lost = args.on_lost;
        let cut_short = move |remote: &Remote, part: usize| match remote.ended_by(part) {
            Some(why) => Some(why).filter(|why| !why.is_as_planned()),
            None => (on_lost == OnLost::Stop).then(|| EndedBy::Signal(Signal::HUP.as_raw())),
        };
        let (mut remote, gone, watched) = follow(lead, at, whole, asked, watched, cut_short).await;
        collected(&mut remote, out).await?;
        if remote.ignored > 0 {
            common::say!(
                "replayer: {} messages of workers that are none of this run were ignored",
                remote.ignored
            );
        }
        Ok::<_, Error>(Ok(Led { gone, probes, interrupts: later, watched }))
    })?;
    match led {
        Ok(led) => ended(&runtime, asked, &choices, &parts, led, out, force),
        Err(exit) => Ok(Fired::NotBegun(exit)),
    }
}

/// Tells workers that wait.
async fn abort(remote: &mut Remote, why: String) {
    remote.close(PlanState::Aborted { why }).await;
}

/// The name of the folder, and what makes it the only one.
fn drawn(out: &Path) -> String {
    let id = Uuid::new_v4().simple().to_string();
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    format!("{name}-{}", &id[..8])
}

fn shard(asked: &Asked<'_>, destination: &http1::Destination, part: &Part) -> ShardPlan {
    let mut options = options_of(asked, destination, part);
    options.option("--threads", asked.conduct.threads.map(|threads| threads.to_string()));
    let options = options.into_iter().map(|option| option.to_string_lossy().into_owned());
    ShardPlan { users: part.users, options: planned_options(options) }
}

/// The files of the plan, sent where they are missing.
async fn offered(
    nats: &Nats,
    args: &Args,
    files: Files,
) -> Result<BTreeMap<FileKind, File>, FleetError> {
    if args.send_manifest && !nats.is_tls() {
        return Err(FleetError::Plain);
    }
    let Files { trace, manifest, rewrites } = files;
    let scenario: Option<PathBuf> = args.args.load.scenario.clone();
    let wanted = [
        (FileKind::Trace, Some(trace), true),
        (FileKind::Scenario, scenario, true),
        (FileKind::Rewrites, rewrites, true),
        (FileKind::Manifest, manifest, args.send_manifest),
    ];
    let mut offered = BTreeMap::new();
    for (kind, path, is_sent) in wanted {
        if let Some(path) = path {
            offered.insert(kind, offer(nats, &path, is_sent).await?);
        }
    }
    Ok(offered)
}
