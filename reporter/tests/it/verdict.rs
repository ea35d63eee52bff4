//! The first lines: what came of it, why, and what was not as in production. Each sentence is made to
//! appear, and to go away.

use run_log::format::{Profile, ValidityState};

use crate::report::Folder;
use crate::states::{ALL, good};
use crate::synthetic::Synthetic;

fn verdict(runs: &[Synthetic]) -> (String, Vec<String>, Vec<String>) {
    let folder = Folder::new();
    for run in runs {
        run.write(folder.runs());
    }
    folder.fill();
    let verdict = &folder.figures()["verdict"];
    let texts = |key: &str| {
        let all = verdict[key].as_array().unwrap().iter();
        all.map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let line = verdict["line"].as_str().unwrap().to_owned();
    assert_eq!(folder.lines(&[&format!("> **{line}.**")]).len(), 1);
    (line, texts("because"), texts("differences"))
}

#[test]
fn each_state_has_its_line() {
    let all = ALL.map(good);
    assert_eq!(verdict(&[]).0, "Nothing is measured yet");
    assert_eq!(verdict(&all[..2]).0, "Not decided: 2 of 4 scenarios ran to their end");
    let (line, because, _) = verdict(&all);
    assert!(
        line.starts_with("The target held the load: all of ") && line.ends_with(" were met"),
        "{line}"
    );
    assert!(because[0].starts_with("Nearest to its limit: "), "{because:?}");

    let mut failed = all.clone();
    failed[0].response_us = 90_000;
    let (line, because, _) = verdict(&failed);
    assert!(line.starts_with("The target did not hold the load: 1 of "), "{line}");
    assert!(because[0].starts_with("Baseline: `p95 < 100ms`, measured "), "{because:?}");
    assert!(because[0].ends_with(" over it"), "{because:?}");
    assert!(!because.iter().any(|text| text.starts_with("Nearest")), "{because:?}");
    let (line, ..) = verdict(&failed[..1]);
    assert_eq!(line, "Not decided: 1 of 4 scenarios ran to their end, 1 of which FAILED");

    // That more failed than is allowed is no expectation's.
    let stress = Synthetic { one_fails_of: Some(20), ..good("04-stress") };
    let (_, because, _) = verdict(&[stress]);
    assert!(
        because[0].starts_with("Stress: more failed than the 1 % that is allowed"),
        "{because:?}"
    );

    let mut invalid = all.clone();
    invalid[1].validity = ValidityState::Invalid;
    let (line, because, _) = verdict(&invalid);
    assert_eq!(line, "No verdict: the figures are not the target's alone (Alert throughput)");
    assert!(because.iter().any(|text| text.starts_with("Alert throughput: ")), "{because:?}");

    let mut quick = all.clone();
    quick[2].profile = Profile::Quick;
    assert_eq!(
        verdict(&quick).0,
        "No verdict: the quick profile is shown and not judged (Concurrent load)"
    );
}

#[test]
fn the_figure_furthest_from_its_limit_comes_first_and_no_more_than_three_are_told() {
    let mut runs = ALL.map(good);
    for run in &mut runs[..3] {
        run.response_us = 900_000;
    }
    let (_, because, _) = verdict(&runs);
    assert_eq!(because.len(), 4, "{because:?}");
    assert!(because[3].ends_with(" more expectations were missed"), "{because:?}");
    let far = |text: &String| -> f64 {
        let share = text.rsplit(", ").next().unwrap().trim_start_matches("at least ");
        share.split(" %").next().unwrap().replace(',', "").parse().unwrap()
    };
    let distances: Vec<f64> = because[..3].iter().map(far).collect();
    assert!(distances.is_sorted_by(|a, b| a >= b), "{because:?}");
}

/// What is done to a `run.json`.
type Change<'a> = &'a dyn Fn(&mut serde_json::Value);

#[test]
fn what_was_not_as_in_production_is_told_where_it_was() {
    let folder = Folder::new();
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    let differences = |change: &dyn Fn(&mut serde_json::Value)| {
        let path = dir.join("run.json");
        let text = std::fs::read(&path).unwrap();
        let mut run: serde_json::Value = serde_json::from_slice(&text).unwrap();
        change(&mut run);
        std::fs::write(&path, run.to_string()).unwrap();
        folder.fill();
        std::fs::write(&path, text).unwrap();
        let all = folder.figures()["verdict"]["differences"].as_array().unwrap().clone();
        all.iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let as_in_production = |run: &mut serde_json::Value| {
        run["config"]["target_is_local"] = false.into();
        run["config"]["insecure_tls"] = false.into();
        run["manifest"]["bcrypt_costs"] = serde_json::json!([12]);
        for persona in run["personas"].as_array_mut().unwrap() {
            persona["users_per_account"] = 1.into();
        }
    };
    assert!(differences(&as_in_production).is_empty());
    assert!(!folder.text().contains("Not as in production"));
    let cases: [(&str, Change<'_>); 5] = [
        ("generator and target on one machine", &|run| {
            run["config"]["target_is_local"] = true.into();
        }),
        ("TLS certificates not verified", &|run| run["config"]["insecure_tls"] = true.into()),
        ("passwords hashed by bcrypt at cost 4", &|run| {
            run["manifest"]["bcrypt_costs"] = serde_json::json!([12, 4]);
        }),
        ("accounts shared by several users", &|run| {
            run["personas"][0]["users_per_account"] = 3.into();
        }),
        ("requests sent each for itself, not in the order of their sessions", &|run| {
            run["config"]["independent"] = true.into();
        }),
    ];
    for (expected, change) in cases {
        let found = differences(&|run| {
            as_in_production(run);
            change(run);
        });
        assert_eq!(found, [expected]);
        assert_eq!(folder.lines(&["Not as in production: ", expected]).len(), 1);
    }
}
