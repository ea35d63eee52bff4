//! Charts: well-formed, complete, and linked from the report.

use crate::report::Folder;
use crate::synthetic::Synthetic;

#[test]
fn each_run_has_its_charts_and_the_report_links_them() {
    let folder = Folder::new();
    Synthetic::of("01-baseline").write(folder.runs());
    let filled = folder.fill();
    let names: Vec<_> =
        filled.charts.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let expected =
        ["latency", "throughput", "distribution", "heat", "users", "lag", "target", "database"]
            .map(|name| format!("01-baseline-{name}.svg"));
    assert_eq!(names, expected);
    for (path, name) in filled.charts.iter().zip(names) {
        let svg = std::fs::read_to_string(path).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        let link = format!("](report-charts/{name})");
        assert_eq!(folder.lines(&["![Baseline: ", &link]).len(), 1, "{name}");
    }
}

#[test]
fn a_line_goes_through_as_many_points_as_there_were_seconds() {
    let folder = Folder::new();
    Synthetic { seconds: 30, ..Synthetic::of("01-baseline") }.write(folder.runs());
    let filled = folder.fill();
    let svg = std::fs::read_to_string(&filled.charts[0]).unwrap();
    let lines = svg.lines().filter(|line| line.starts_with("<polyline"));
    let points = |line: &str| {
        let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        points.split_whitespace().count()
    };
    // The second of the drain is one more.
    let long = lines.filter(|line| points(line) == 31).count();
    assert_eq!(long, 3, "p50, p95 and p99");
}

#[test]
fn what_was_not_sampled_is_not_drawn_and_said() {
    let folder = Folder::new();
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    std::fs::write(dir.join("target.csv"), "").unwrap();
    let filled = folder.fill();
    assert_eq!(filled.charts.len(), 6);
    assert_eq!(folder.lines(&["Target and database: not measured."]).len(), 1);
    assert_eq!(folder.lines(&["Counted by the target", "not measured"]).len(), 1);
}

#[test]
fn what_was_marked_stands_in_every_chart_over_time() {
    let folder = Folder::new();
    let dir = Synthetic::of("01-baseline").write(folder.runs());
    let path = dir.join("run.json");
    let mut run: run_log::format::Run =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let label = "deployed <v2> & warm".to_owned();
    run.note(vec![run_log::format::Mark { second: 5, label }]);
    std::fs::write(&path, serde_json::to_vec(&run).unwrap()).unwrap();
    let filled = folder.fill();
    for path in &filled.charts {
        let svg = std::fs::read_to_string(path).unwrap();
        let is_over_time =
            !["distribution", "heat"].iter().any(|name| path.to_string_lossy().contains(name));
        let is_marked = svg.contains("deployed &lt;v2&gt; &amp; warm");
        assert_eq!(is_marked, is_over_time, "{}", path.display());
    }
}
