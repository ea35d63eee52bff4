//! The options of a run as another process of this program takes them.

use std::ffi::OsString;
use std::time::Duration;

use clap::ValueEnum;

use super::input::Input;
use super::load::LoadArgs;
use super::run_args::Conduct;

/// Options and their values, in their order.
#[derive(Default)]
pub(super) struct Arguments(Vec<OsString>);

impl Arguments {
    pub(super) fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.0.push(name.into());
        }
    }

    pub(super) fn option(&mut self, name: &str, value: Option<impl Into<OsString>>) {
        if let Some(value) = value {
            // In one piece, so that no value is taken for an option.
            let mut both = OsString::from(format!("{name}="));
            both.push(value.into());
            self.0.push(both);
        }
    }

    fn shown(&mut self, name: &str, value: Option<impl ToString>) {
        self.option(name, value.map(|value| value.to_string()));
    }

    fn named<T: ValueEnum>(&mut self, name: &str, value: Option<T>) {
        let name_of = |value: T| value.to_possible_value().map(|of| of.get_name().to_owned());
        self.option(name, value.and_then(name_of));
    }

    fn time(&mut self, name: &str, value: Option<Duration>) {
        self.shown(name, value.map(humantime::format_duration));
    }

    fn each<T: ToString>(&mut self, name: &str, values: &[T]) {
        for value in values {
            self.shown(name, Some(value.to_string()));
        }
    }
}

impl IntoIterator for Arguments {
    type Item = OsString;
    type IntoIter = std::vec::IntoIter<OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Input {
    /// All but where connections come from.
    pub(super) fn arguments(&self, to: &mut Arguments) {
        let Self {
            trace,
            manifest,
            target,
            allow_host,
            insecure,
            slot,
            rewrites,
            seed,
            source_ip: _,
            read_only,
            skip_truncated,
            max_trace_memory,
        } = self;
        to.option("--trace", trace.as_ref());
        to.option("--manifest", manifest.as_ref());
        // Whoever leads has parsed it.
        to.shown("--target", target.clone().value("--target").ok());
        to.each("--allow-host", allow_host);
        to.flag("--insecure", *insecure);
        to.each("--slot", slot);
        to.option("--rewrites", rewrites.as_ref());
        to.shown("--seed", Some(seed));
        to.flag("--read-only", *read_only);
        to.flag("--skip-truncated", *skip_truncated);
        to.option("--max-trace-memory", Some(format!("{}KiB", max_trace_memory >> 10)));
    }
}

impl LoadArgs {
    pub(super) fn arguments(&self, to: &mut Arguments) {
        let Self {
            scenario,
            profile,
            speed,
            clones,
            users,
            rate,
            stages,
            duration,
            max_requests,
            personas,
            spawn_rate,
            warmup,
            pacing,
            independent,
            restart,
            stop_on,
            stop_not_before,
            recovery,
            rate_tolerance,
        } = self;
        to.option("--scenario", scenario.as_ref());
        to.named("--profile", Some(*profile).filter(|_| scenario.is_some()));
        to.shown("--speed", speed.map(scenario::Speed::factor));
        to.shown("--clones", *clones);
        to.shown("--users", *users);
        to.shown("--rate", rate.as_ref());
        to.shown("--stages", *stages);
        to.time("--duration", *duration);
        to.shown("--max-requests", *max_requests);
        to.each("--personas", personas);
        to.shown("--spawn-rate", *spawn_rate);
        to.time("--warmup", *warmup);
        to.named("--pacing", *pacing);
        to.flag("--independent", *independent);
        to.named("--restart", *restart);
        to.shown("--stop-on", stop_on.as_ref());
        to.time("--stop-not-before", *stop_not_before);
        to.time("--recovery", *recovery);
        to.shown("--rate-tolerance", Some(rate_tolerance));
    }
}

impl Conduct {
    /// All but what is the lead's own: what is tried before, what is observed, how many share the
    /// load, and what is shown.
    pub(super) fn arguments(&self, to: &mut Arguments) {
        let Self {
            probe: _,
            no_preflight: _,
            no_observe: _,
            // By the environment, since arguments are for all to see.
            observe: _,
            processes: _,
            threads: _,
            // As the other addresses of what is observed.
            database_url: _,
            label,
            max_rate,
            max_queue,
            login_rate,
            connect_timeout,
            request_timeout,
            grace,
            live: _,
            live_linger: _,
            quiet: _,
        } = self;
        to.each("--label", label);
        to.shown("--max-rate", Some(max_rate));
        to.shown("--max-queue", Some(max_queue));
        to.shown("--login-rate", Some(login_rate));
        to.time("--connect-timeout", Some(*connect_timeout));
        to.time("--request-timeout", Some(*request_timeout));
        to.time("--grace", Some(*grace));
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Parser};

    use super::super::run_args::Args;
    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    fn again(typed: &Typed) -> Typed {
        let Args { input, load, conduct, .. } = &typed.args;
        let mut arguments = Arguments::default();
        input.arguments(&mut arguments);
        load.arguments(&mut arguments);
        conduct.arguments(&mut arguments);
        let program = ["run".into(), "--dry-run".into()].into_iter();
        Typed::parse_from(program.chain(arguments))
    }

    #[test]
    fn every_option_comes_over_as_it_was_typed() {
        let common = "run --dry-run --trace=-t.jsonl --manifest m.json --target https://[::1]:81 \
            --allow-host a --allow-host b --insecure --slot A=B --rewrites r.toml --seed 7 \
            --read-only --skip-truncated --max-trace-memory 3MiB --scenario s.toml --profile quick \
            --speed 2.5 --duration 90s --max-requests 9 --personas A,B --spawn-rate 0.3333333333333 \
            --warmup 1s500ms --pacing closed --independent --restart new-user \
            --rate-tolerance 1.5 --label a=b --label c=d --max-rate 5/m --max-queue 3 \
            --login-rate 1/h --connect-timeout 1ms --request-timeout 2h --grace 3us";
        let mut typed_names = Vec::new();
        for axis in
            ["--clones 3", "--users 4", "--rate A=50/m", "--stages=start·1,·+2·every·1m,·to·9"]
        {
            let words = common.split_whitespace().chain(axis.split(' ')).chain([
                "--stop-on=p95·>·1s",
                "--stop-not-before=30s",
                "--recovery=1m",
            ]);
            let words: Vec<String> = words.map(|word| word.replace('·', " ")).collect();
            typed_names.extend(
                words
                    .iter()
                    .filter_map(|word| word.strip_prefix("--"))
                    .map(|word| word.split('=').next().unwrap_or_default().to_owned()),
            );
            let typed = Typed::try_parse_from(&words).unwrap();
            assert_eq!(format!("{:?}", again(&typed)), format!("{typed:?}"));
        }
        // What the lead keeps for itself, or says to each part.
        let others = [
            "source-ip",
            "probe",
            "no-preflight",
            "no-observe",
            "observe",
            "processes",
            "threads",
            "database-url",
            "live",
            "live-linger",
            "quiet",
        ];
        for group in [Input::augment_args, LoadArgs::augment_args, Conduct::augment_args] {
            for option in group(clap::Command::new("run")).get_arguments() {
                let name = option.get_long().unwrap_or_default();
                #[cfg(feature = "fleet")]
                assert!(
                    others.contains(&name) || crate::fleet::is_known(&format!("--{name}")),
                    "{name}"
                );
                assert!(
                    others.contains(&name) || typed_names.iter().any(|typed| typed == name),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn what_was_not_typed_is_not_said() {
        let typed =
            Typed::try_parse_from(["run", "--dry-run", "--target", "http://127.0.0.1:1"]).unwrap();
        assert_eq!(format!("{:?}", again(&typed)), format!("{typed:?}"));
    }
}
