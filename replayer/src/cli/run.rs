//! `replayer run`.

use std::sync::Arc;

use common::exit::Exit;
use common_net::runtime;
use common_net::signals::Interrupt;
use figures::validity::{Generator, validity};
use tokio::runtime::Builder;
use tokio::sync::watch;

use super::dry_run::print_plan;
use super::finish::{exit_of, finish};
use super::initial_record::initial_record;
use super::input::{Choices, Ready, pairs, prepare_all};
use super::names::check_names;
use super::probe::show_probed;
use super::run_args::{Args, ProbeArg};
use super::start_at::Start;
use super::summary::{print_summary, say_refusal};
use crate::config;
use crate::engine::{self, Budget, FidelityMode, Job, Measured, Settings};
use crate::error::Error;
use crate::live::Live;
use crate::observe::{Database, Observer};
use crate::probe::{Extent, Probed, probe};
use crate::schedule::{Policy, Schedule, Walk};
use run_log::format::{Run, Shard, Window};
use run_log::outcome::Outcome;
use run_log::writer::RunWriter;
use scenario::{Load, Pacing, Scenario};

/// Begins to turn signals into interrupts; needs a runtime.
pub type WatchSignals = fn() -> std::io::Result<watch::Receiver<Interrupt>>;

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let scenario = args.load.scenario.as_deref().map(Scenario::read).transpose()?;
    let load = args.load.resolve(scenario.as_ref())?;
    let labels = pairs("--label", &args.label)?;
    if let Some(start) = args.start_at {
        Start::at(start)?;
    }
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, std::num::NonZeroUsize::get);
    let fidelity = if args.verify { FidelityMode::StatusAndShape } else { FidelityMode::Status };
    let shards = args.shard.map_or(1, |shard| shard.of);
    let choices = Choices {
        load,
        scenario,
        connect_timeout: args.connect_timeout,
        request_timeout: args.request_timeout,
        grace: args.grace,
        fidelity,
        max_queue: args.max_queue.max(1),
        login_rate: args.login_rate.per_second() / threads as f64 / f64::from(shards),
    };
    let mut ready = prepare_all(&args.input, &choices)?;
    check_names(&ready.plan, &args.load.names(&choices))?;
    ready.settings.budget = budget(&choices.load, args.shard);
    let Planned { schedule, connections, mine, plateau } = plan(args, &choices.load, &ready)?;
    if args.dry_run {
        print_plan(&ready.plan, &schedule, &ready.settings, &mine, connections, args.json)?;
        return Ok(Exit::Good);
    }
    if let Some(rate) = schedule.rate_text().filter(|_| !args.quiet) {
        common::say!("replayer: rate {rate}");
    }
    let out = args.out.clone().unwrap_or_default();
    let run = initial_record(args, &choices, &ready, &schedule, threads, plateau, labels);
    let runtime = runtime::build(Builder::new_current_thread()).map_err(Error::Runtime)?;
    let measured = runtime.block_on(async {
        RunWriter::check(&out, args.force)?;
        let mut interrupts = watch().map_err(Error::Runtime)?;
        tokio::spawn(announce_stop(interrupts.clone()));
        let before = async {
            let (observer, probed) = look(args, &ready).await?;
            let start = args.start_at.map_or_else(|| Ok(Start::soon()), Start::at)?;
            start.lead().await;
            Ok::<_, Error>((observer, probed, start))
        };
        // Whatever is waited for until here, a signal ends it.
        let (observer, probed, start) = tokio::select! {
            biased;
            Ok(()) = interrupts.changed() => return Ok(Err(interrupts.borrow().exit())),
            begun = before => begun?,
        };
        let run = Run { started: start.wall, ..run };
        let writer = RunWriter::create(&out, args.force, &run)?;
        let settings = Arc::new(Settings { started: start.wall, ..ready.settings });
        let job = Job {
            plan: ready.plan,
            schedule,
            stream: ready.stream,
            settings,
            http: ready.http,
            threads,
            start: start.instant,
            plateau,
            run,
            writer,
            observer,
            probes: probed.sent,
            planned: match choices.load.pacing {
                Pacing::Open => mine.by_second,
                Pacing::Closed => Vec::new(),
            },
        };
        let mut live = Live::new(args.quiet);
        let measured = engine::run(job, interrupts, |tick| live.show(tick)).await?;
        live.finish();
        Ok::<_, Error>(Ok(measured))
    })?;
    let Measured { collector, mut run, writer } = match measured {
        Ok(measured) => measured,
        // Interrupted before the run began: there is none.
        Err(exit) => return Ok(exit),
    };
    let expectations = choices.scenario.as_ref().map_or(&[][..], |scenario| &scenario.expect);
    run.validity = validity(
        &collector.plateau,
        expectations,
        Generator {
            taken: collector.taken,
            left_late: collector.left_late,
            local_limit: collector.totals.outcomes[Outcome::LocalLimit],
            unbound: collector.totals.unbound_by_tool(),
            planned: collector.totals.planned,
        },
    );
    let (run, judged) = finish(&collector, run, writer, expectations)?;
    print_summary(&run, &judged, &out, args.json)?;
    say_refusal(&run, collector.refusal.as_ref());
    Ok(exit_of(&run, &judged.conclusion, args.verify.then_some(args.min_fidelity)))
}

/// Connects to what is observed, and probes the target.
async fn look(args: &Args, ready: &Ready) -> Result<(Observer, Probed), Error> {
    let database = match args.database_url.as_ref().filter(|_| !args.no_observe) {
        Some(url) => Some(Database::connect(url.expose(), &args.input.allow_host).await?),
        None => None,
    };
    let mut observer =
        Observer::new(Arc::clone(&ready.http.destination), !args.no_observe, database);
    // Before the probe: what it sends is counted as extra, and the target counts it too.
    observer.sample_at(0).await;
    // Whoever compares answers has data as they were when it was recorded.
    if args.no_probe || args.verify {
        return Ok((observer, Probed::default()));
    }
    let extent = match args.probe {
        ProbeArg::Safe => Extent::Safe,
        ProbeArg::Full => Extent::Full,
    };
    let probing = probe(&ready.plan, &ready.settings, &ready.http, extent);
    let probed = tokio::task::LocalSet::new().run_until(probing).await?;
    show_probed(&probed);
    Ok((observer, probed))
}

/// Says what the next signal does, since a run takes a while to end.
async fn announce_stop(mut interrupts: watch::Receiver<Interrupt>) {
    if interrupts.changed().await.is_ok() {
        common::say!(
            "\nreplayer: stopping; requests under way may still end, a second signal cuts them off"
        );
    }
}

/// What this process is to send.
struct Planned {
    schedule: Schedule,
    /// The most that may be open at once.
    connections: u64,
    /// What is counted beforehand, without running it.
    mine: Walk,
    plateau: Window,
}

/// Plans and checks the whole, of which this process may run a part.
fn plan(args: &Args, load: &Load, ready: &Ready) -> Result<Planned, Error> {
    let policy = Policy {
        load: load.clone(),
        seed: args.input.seed,
        rate_tolerance: args.load.rate_tolerance / 100.0,
    };
    let of_shard = |schedule: &Schedule| match args.shard {
        Some(shard) => schedule.clone().of_shard(&ready.plan, shard),
        None => schedule.clone(),
    };
    config::check_goal(load, args.max_rate)?;
    let mut whole = Schedule::new(&ready.plan, &policy)?;
    // First, as it is quick where the plan is too big to be walked.
    let connections = config::connections(&ready.plan, &of_shard(&whole));
    config::check_limits(connections, ready.http.destination.sources())?;
    if let (Some(most), Pacing::Open) = (load.max_requests, load.pacing) {
        whole = whole.at_most(&ready.plan, load, most);
    }
    let planned = config::planned(&ready.plan, &whole, load);
    config::check_rate(&planned, args.max_rate)?;
    let plateau = config::plateau(&ready.plan, &whole, load)?;
    let schedule = of_shard(&whole);
    let mine = config::planned(&ready.plan, &schedule, load);
    Ok(Planned { schedule, connections, mine, plateau })
}

/// By closed pacing no plan can tell which requests are the first, so they are counted as
/// they begin; each shard has its share of them.
fn budget(load: &Load, shard: Option<Shard>) -> Option<Arc<Budget>> {
    let most = load.max_requests.filter(|_| load.pacing == Pacing::Closed)?;
    let Shard { index, of } = shard.unwrap_or(Shard { index: 1, of: 1 });
    let mine = most / u64::from(of) + u64::from(u64::from(index) <= most % u64::from(of));
    Some(Arc::new(Budget::of(mine)))
}
