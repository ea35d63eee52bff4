//! `replayer run`.

use common::exit::Exit;

use super::asked::Asked;
use super::dry_run::print_plan;
use super::finish::exit_of;
use super::fire::fire;
use super::live::shown;
use super::one_run::{Ended, Fired, ReadyRun};
use super::run_args::Args;
use super::signals::{WatchSignals, interrupts};
use super::summary::{print_summary, say_refusal};
use crate::error::Error;

pub(super) fn run(args: &Args, watch: WatchSignals) -> Result<Exit, Error> {
    let Args { input, load, conduct, verify, shard, start_at, led, .. } = args;
    let (verify, shard, start_at, led) = (*verify, *shard, *start_at, *led);
    let asked = Asked { input, load, conduct, verify, shard, start_at, led };
    let ready = ReadyRun::new(&asked)?;
    if args.dry_run {
        ready.ready.say_notices();
        print_plan(&ready.ready, &ready.planned, args.json)?;
        return Ok(Exit::Good);
    }
    if !led {
        ready.say_notices();
    }
    let out = args.out.clone().unwrap_or_default();
    shown(conduct, watch, |view| {
        let watch = || interrupts(view, watch);
        let Ended { collector, run, judged } = match fire(ready, &out, args.force, view, watch)? {
            Fired::Ended(ended) => *ended,
            Fired::NotBegun(exit) => return Ok(exit),
        };
        if !led {
            print_summary(&run, &judged, &out, args.json)?;
        }
        say_refusal(&run, collector.refusal.as_ref());
        Ok(exit_of(&run, &judged.conclusion, verify.then_some(args.min_fidelity)))
    })
}
