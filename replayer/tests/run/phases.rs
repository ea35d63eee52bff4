//! The phases of a run: named in its directory, and judged by what is expected of each.

use run_log::format::Phase;
use run_log::format::{Judgement, TIMELINE_CSV};

use crate::support::{Answer, Ran, Server, TraceBuilder, Workplace, judged_but_for_lag};

fn steady() -> TraceBuilder {
    let steps: Vec<(u64, &str, &str)> = (0..40).map(|n| (n * 50, "GET", "/")).collect();
    TraceBuilder::default().session("s", &steps)
}

fn ran(lines: &str, options: &[&str]) -> Ran {
    let server = Server::start(|_| Answer::Json(200, "{}".into()));
    let place = Workplace::new(&steady(), 0);
    let scenario = place.scenario(lines);
    let named = ["--no-probe", "--quiet", "--scenario", &scenario];
    place.run(&server.url(), &[&named[..], options].concat())
}

fn seconds(phase: &Phase) -> (&str, u64, u64, u64) {
    (&phase.name, phase.window.start_s, phase.window.end_s, phase.users)
}

/// The phase of each second, as the timeline's last column has it.
fn column(ran: &Ran) -> Vec<String> {
    let mut table = csv::Reader::from_path(ran.reader().dir().join(TIMELINE_CSV)).unwrap();
    assert_eq!(table.headers().unwrap().iter().next_back(), Some("phase"));
    table.records().map(|row| row.unwrap().iter().next_back().unwrap().to_owned()).collect()
}

const EXPECTED: &str = r#"expect = [
  "phase ramp: failures < 1%",
  "phase step 1: users >= 4",
  "phase ramp 2: users >= 6",
  "phase step 2: load_held >= 0%",
  "phase step 2: p95 < 1us",
]
[load]
stages = "start 4, +2 every 3s, to 6"
spawn_rate = "2/s"
"#;

#[test]
fn a_load_in_steps_has_a_ramp_before_each_and_is_judged_by_step() {
    let ran = ran(EXPECTED, &[]);
    assert_eq!(ran.code_but_for_lag(), Some(10), "{}{}", ran.stdout, ran.stderr);
    let run = ran.checked();
    assert_eq!(
        run.phases.iter().map(seconds).collect::<Vec<_>>(),
        [("ramp", 0, 2, 4), ("step 1", 2, 3, 4), ("ramp 2", 3, 4, 6), ("step 2", 4, 6, 6)]
    );
    let named = column(&ran);
    let planned = ["ramp", "ramp", "step 1", "ramp 2", "step 2", "step 2"];
    assert_eq!(named[..6], planned.map(str::to_owned));
    assert!(named[6..].iter().all(|name| name == "drain"), "{named:?}");
    let judged = judged_but_for_lag(&ran.reader());
    let by_text = |text: &str| {
        judged.verdicts.iter().find(|of| of.expectation.to_string() == text).unwrap().result
    };
    assert_eq!(by_text("phase ramp: failures < 1%"), Judgement::Met);
    assert_eq!(by_text("phase step 1: users >= 4"), Judgement::Met);
    assert_eq!(by_text("phase step 2: load_held >= 0%"), Judgement::Met);
    assert_eq!(by_text("phase step 2: p95 < 1us"), Judgement::Missed);
    // Each request is planned for one phase.
    let planned: u64 = run.phases.iter().map(|phase| phase.load_held.unwrap().planned).sum();
    assert_eq!(planned, run.totals.planned);
}

#[test]
fn a_phase_that_the_plan_has_not_is_refused_unless_it_is_another_load() {
    let unknown = EXPECTED.replacen("step 1", "step 7", 1);
    let refused = ran(&unknown, &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for says in [
        "s.toml: expect \"phase step 7: users >= 4\": the plan has no phase of the name \"step 7\"",
        "; it has ramp, step 1, ramp 2, step 2\n",
    ] {
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    let other = ran(&unknown, &["--users", "2", "--duration", "2s"]);
    assert_eq!(other.code_but_for_lag(), Some(10), "{}", other.stderr);
    assert!(other.stdout.contains("not the scenario's load"), "{}", other.stdout);
}
