//! What follows from the figures, by rules: each sentence states a measured
//! fact, and there is none where nothing was measured.

use run_log::format::{Judgement, Run};
use run_log::outcome::Outcome;
use scenario::Metric;
use scenario::Profile;
use serde::Serialize;

use super::crossing::crossings;
use super::limitations::limitations;
use super::scalability::Scalability;
use super::{short, symptoms};
use crate::load::{Entry, MeasuredRun};
use crate::summary::{DATABASE, PROCESSES, Summary, TARGET};
use crate::units::{Figure, micros, of_metric, share};
use figures::Group;
use figures::conclusion::Conclusion;
use figures::validity::unbound_reason;
use scenario::Percentile;

/// An endpoint is named when it takes at least this share of the service time.
const WORTH_NAMING: f64 = 0.1;
/// The most endpoints named for a run.
const MOST_NAMED: usize = 3;
/// Queueing is named when it is at least this share of the response time at p95.
const QUEUEING: f64 = 0.5;
/// Queues and delays shorter than this are not worth a sentence.
const NOTICED_US: f64 = 10_000.0;
/// A user delayed for longer than this is no longer on its recorded schedule.
const DELAYED_US: f64 = 1_000_000.0;
/// Answers with the recorded status, below which the load is not the recorded one.
const FAITHFUL: f64 = 0.995;

#[derive(Serialize)]
pub struct Findings {
    /// What held the target up, by the measured series; none where nothing did.
    pub bottlenecks: Vec<Finding>,
    /// Which endpoints took the target's time, whether or not that is too much.
    pub heaviest: Vec<Finding>,
    /// What was not measured, so that no bottleneck of it could be found.
    pub unseen: Vec<Finding>,
    pub scalability: Scalability,
    pub recommendations: Vec<String>,
    pub limitations: Vec<String>,
    pub next_steps: Vec<String>,
}

/// A fact about a run.
#[derive(Serialize)]
pub struct Finding {
    pub scenario: String,
    pub fact: String,
}

impl Findings {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let runs = || entries.iter().filter_map(|entry| Some((entry, entry.run.as_ref()?)));
        Self {
            bottlenecks: runs().flat_map(|(entry, run)| of_run(entry, bottlenecks(run))).collect(),
            heaviest: runs()
                .flat_map(|(entry, run)| {
                    of_run(entry, heaviest(&run.summary).into_iter().take(MOST_NAMED).collect())
                })
                .collect(),
            unseen: runs().flat_map(|(entry, run)| of_run(entry, unseen(&run.summary))).collect(),
            scalability: Scalability::new(entries),
            recommendations: recommendations(entries),
            limitations: limitations(entries),
            next_steps: next_steps(entries),
        }
    }
}

fn of_run(entry: &Entry, facts: Vec<String>) -> impl Iterator<Item = Finding> {
    let scenario = entry.scenario.title.clone();
    facts.into_iter().map(move |fact| Finding { scenario: scenario.clone(), fact })
}

fn bottlenecks(measured: &MeasuredRun) -> Vec<String> {
    let summary = &measured.summary;
    let mut facts: Vec<String> = symptoms::first(summary).into_iter().collect();
    facts.extend(crossings(summary, &measured.verdicts));
    facts.extend(queueing(summary));
    if let Some((cause, count)) = summary.plateau.counts.main_cause() {
        let all = summary.plateau.counts.failed();
        let of_them =
            if count == all { "all".to_owned() } else { Figure::count(count).to_string() };
        facts.push(format!("{} requests failed, {of_them} of them {cause}", Figure::count(all)));
    }
    let delay = micros(figures::percentile(&summary.plateau.all.session_delay, Percentile::P95));
    if delay.value.is_some_and(|delay| delay > DELAYED_US) {
        facts.push(format!("earlier answers held users up: session delay p95 {delay}"));
    }
    facts.extend(short::processors(summary));
    facts
}

/// The sources that were missing.
fn unseen(summary: &Summary) -> Vec<String> {
    let samples = &summary.samples;
    let has = |prefix| samples.names(prefix).next().is_some();
    let mut out = Vec::new();
    if summary.symptoms.is_none() {
        out.push(
            "the plateau is too short to tell what changed in it: what is usual is measured over at \
             least five seconds, and compared with what follows"
                .to_owned(),
        );
    }
    if !has(TARGET) && !has(PROCESSES) {
        out.push(
            "the target's processor and memory were not watched: `--observe port=8000` or \
             `--observe pid=123`, on its machine"
                .to_owned(),
        );
    }
    if !has(DATABASE) {
        out.push(
            "the database's connections, locks and waits were not watched: `--observe \
             postgres=URL`"
                .to_owned(),
        );
    }
    out
}

/// How many of the answers have the recorded status. What got no answer, because it timed out or
/// its connection broke, says nothing of the data; what is unbound does, and what was cut off at
/// the end was compared with nothing.
fn same_status(run: &Run) -> Figure {
    let stays = |outcome| matches!(outcome, Outcome::Unbound | Outcome::CutOff);
    let unanswered = Outcome::without_answer().filter(|outcome| !stays(*outcome));
    let unanswered: u64 = unanswered.map(|outcome| run.totals.outcomes[outcome]).sum();
    Figure::share(run.fidelity.same_status, run.fidelity.compared.saturating_sub(unanswered))
}

/// Endpoints by their share of the time that the target spent, largest first.
fn heaviest(summary: &Summary) -> Vec<String> {
    let all = &summary.plateau.all;
    let mut endpoints: Vec<(f64, &Group)> = summary
        .plateau
        .endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.service_share(all).value?, endpoint)))
        .filter(|(share, _)| *share >= WORTH_NAMING)
        .collect();
    endpoints.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    endpoints
        .into_iter()
        .map(|(_, endpoint)| {
            format!(
                "`{}` takes {} of the service time (mean {}, p95 {})",
                endpoint.name,
                share(endpoint.service_share(all)),
                micros(endpoint.service_mean()),
                micros(endpoint.service_percentile(Percentile::P95))
            )
        })
        .collect()
}

fn queueing(summary: &Summary) -> Option<String> {
    let queue = micros(figures::percentile(&summary.plateau.all.queue, Percentile::P95));
    let response = micros(summary.plateau.all.responses.percentile(Percentile::P95));
    let (waited, took) = (queue.value?, response.value?);
    (waited >= NOTICED_US && waited >= QUEUEING * took).then(|| {
        format!(
            "requests wait for a connection: queue p95 {queue} beside a response p95 of {response}"
        )
    })
}

fn recommendations(entries: &[Entry]) -> Vec<String> {
    let mut out = Vec::new();
    for entry in entries {
        let Some(measured) = &entry.run else { continue };
        let (title, summary) = (&entry.scenario.title, &measured.summary);
        let totals = &summary.run.totals;
        let unbound = unbound_reason(totals.unbound_by_tool(), totals.planned);
        let reasons = summary.run.validity.reasons.iter();
        let others: Vec<&str> =
            reasons.filter(|text| Some(*text) != unbound.as_ref()).map(String::as_str).collect();
        if !others.is_empty() {
            out.push(format!(
                "{title}: give the generator more room, then run it again; {}.",
                others.join("; ")
            ));
        }
        if let Some(reason) = unbound {
            out.push(format!(
                "{title}: see which answers no longer hold what later requests take from them, put the data back or record anew, then run it again; {reason}."
            ));
        }
        for verdict in measured.verdicts.iter().filter(|v| v.result == Judgement::Missed) {
            let what = &verdict.expectation;
            let because = match what.metric {
                Metric::LoadHeld => {
                    Some("earlier answers were slower than recorded, or did not come".to_owned())
                }
                Metric::Lost | Metric::Duplicated | Metric::Unacknowledged => {
                    Some("audit.csv lists the marks with the second of the run".to_owned())
                }
                Metric::Failures => summary
                    .plateau
                    .counts
                    .main_cause()
                    .map(|(cause, _)| format!("most failures are {cause}")),
                _ => heaviest(summary).into_iter().next(),
            };
            let because = because.map_or_else(String::new, |fact| format!("; start where {fact}"));
            out.push(format!(
                "{title}: `{what}` was missed at {}{because}.",
                of_metric(verdict.expectation.metric, verdict.measured)
            ));
        }
        let same = same_status(&summary.run);
        if same.value.is_some_and(|same| same < FAITHFUL) {
            out.push(format!(
                "{title}: only {same} of the answers have the recorded status; put the data back before the run, or record anew."
            ));
        }
    }
    out
}

fn next_steps(entries: &[Entry]) -> Vec<String> {
    let titles = |wanted: fn(&Entry) -> bool| {
        let titles: Vec<&str> = entries
            .iter()
            .filter(|entry| wanted(entry))
            .map(|entry| entry.scenario.title.as_str())
            .collect();
        (!titles.is_empty()).then(|| titles.join(", "))
    };
    let mut out = Vec::new();
    if let Some(titles) = titles(|entry| !entry.conclusion.is_complete()) {
        out.push(format!("Run what is missing ({titles}): the report has the commands."));
    }
    let quick = |entry: &Entry| entry.run.as_ref().is_some_and(|run| run.profile == Profile::Quick);
    if let Some(titles) = titles(quick) {
        out.push(format!(
            "Run at full length what was scaled down ({titles}), so that it can be judged."
        ));
    }
    if let Some(titles) = titles(|entry| matches!(entry.conclusion, Conclusion::Invalid(_))) {
        out.push(format!("Run again, so that it is valid, by the recommendations: {titles}."));
    }
    if let Some(titles) = titles(|entry| entry.conclusion == Conclusion::Failed) {
        out.push(format!("Follow the recommendations for {titles}, then run again."));
    }
    if entries.iter().any(local) {
        out.push("Run generator and target on machines of their own.".to_owned());
    }
    if out.is_empty() {
        out.push("None: every scenario ran and met what was expected of it.".to_owned());
    }
    out
}

fn local(entry: &Entry) -> bool {
    entry.run.as_ref().is_some_and(|run| run.summary.run.config.target_is_local)
}
