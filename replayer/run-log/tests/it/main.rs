//! Run directories of a later minor version, made from one of the first.

mod latest;

use std::fs;
use std::path::{Path, PathBuf};

use run_log::format::{
    ERRORS_JSONL, FAILURES_CSV, FIDELITY_CSV, LATENCY_HLOG, MINOR, RUN_JSON, STATS_CSV, TARGET_CSV,
    TIMELINE_CSV,
};
use run_log::reader::{ReadError, RunReader};
use tempfile::TempDir;

/// A copy of a golden run, to be changed.
struct Copied(TempDir);

impl Copied {
    fn new() -> Self {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/runs/01-baseline");
        let copied = Self(TempDir::new().unwrap());
        for entry in fs::read_dir(golden).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copied.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        copied
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn change(&self, file: &str, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        let changed = change(text.clone());
        assert_ne!(text, changed, "{file}");
        fs::write(self.path(file), changed).unwrap();
    }

    fn minor(&self, minor: u32) {
        self.change(RUN_JSON, |text| {
            text.replacen("\"version\": 1,", &format!("\"version\": 1, \"minor\": {minor},"), 1)
        });
    }

    /// Puts a column before the first.
    fn column(&self, file: &str) {
        self.change(file, |text| {
            let (head, rows) = text.split_once('\n').unwrap();
            let rows: String = rows.lines().map(|row| format!("red,{row}\n")).collect();
            format!("colour,{head}\n{rows}")
        });
    }

    fn reader(&self) -> RunReader {
        RunReader::open(self.0.path()).unwrap()
    }
}

/// All that a run directory says, as text.
fn content(run: &RunReader) -> Vec<String> {
    fn lines<T: std::fmt::Debug>(
        found: Result<impl Iterator<Item = Result<T, ReadError>>, ReadError>,
    ) -> Vec<String> {
        found.unwrap().map(|line| format!("{:?}", line.unwrap())).collect()
    }
    [
        vec![format!("{:?}", run_log::format::Run { minor: 0, ..run.run().clone() })],
        lines(run.seconds()),
        lines(run.stats()),
        lines(run.failures()),
        lines(run.fidelity()),
        lines(run.target()),
        lines(run.errors()),
        lines(run.intervals().map(|intervals| {
            intervals
                .map(|found| found.map(|found| (found.second, found.tag, found.recorded.count())))
        })),
    ]
    .concat()
}

#[test]
fn fields_columns_and_files_of_a_later_minor_are_passed_over() {
    let (golden, newer) = (Copied::new(), Copied::new());
    newer.minor(MINOR + 1);
    let field = r#""colour": {"red": [1]},"#;
    newer.change(RUN_JSON, |text| {
        let text = text.replacen("\"tool\":", &format!("{field} \"tool\":"), 1);
        ["config", "trace", "host", "plateau", "lag", "validity", "fidelity"].iter().fold(
            text,
            |text, object| {
                let start = format!("\"{object}\": {{");
                text.replacen(&start, &format!("{start} {field}"), 1)
            },
        )
    });
    for file in [TIMELINE_CSV, STATS_CSV, FAILURES_CSV, FIDELITY_CSV, TARGET_CSV] {
        newer.column(file);
    }
    newer.change(ERRORS_JSONL, |text| text.replace("{\"second\"", &format!("{{{field}\"second\"")));
    fs::write(newer.path("gaps.csv"), "second,gap_us\n").unwrap();
    assert_eq!(newer.reader().run().minor, MINOR + 1);
    let (expected, found) = (content(&golden.reader()), content(&newer.reader()));
    assert!(expected.len() > 100);
    assert_eq!(found, expected);
}

/// Puts a histogram with this tag before the last line of the log; gives the number of its line.
fn add_tag(run: &Copied, tag: &str) -> usize {
    let mut number = 0;
    run.change(LATENCY_HLOG, |text| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let last = lines.pop().unwrap();
        let (_, rest) = last.split_once(',').unwrap();
        lines.push(format!("Tag={tag},{rest}"));
        number = lines.len();
        lines.push(last);
        lines.join("\n") + "\n"
    });
    number
}

#[test]
fn latencies_of_a_later_minor_are_left_out() {
    for tag in ["e0.handshake", "p0.handshake", "group2.response"] {
        let (golden, newer) = (Copied::new(), Copied::new());
        newer.minor(MINOR + 1);
        add_tag(&newer, tag);
        assert_eq!(content(&newer.reader()), content(&golden.reader()), "{tag}");
    }
}

#[test]
fn an_unknown_tag_is_damage_in_a_minor_that_has_none() {
    for (minor, tag) in [(None, "e0.handshake"), (Some(MINOR + 1), "e0-handshake")] {
        let run = Copied::new();
        if let Some(minor) = minor {
            run.minor(minor);
        }
        let line = add_tag(&run, tag);
        let error = run.reader().intervals().unwrap().find_map(Result::err).unwrap().to_string();
        let place = format!("{} line {line}: ", run.path(LATENCY_HLOG).display());
        assert!(error.starts_with(&place) && error.contains(&format!("{tag:?}")), "{error}");
    }
}

#[test]
fn another_major_is_refused_with_the_remedy() {
    for (version, remedy) in
        [(2, "use the newer tool that wrote it"), (0, "run the scenario again")]
    {
        let run = Copied::new();
        run.change(RUN_JSON, |text| {
            text.replacen("\"version\": 1,", &format!("\"version\": {version},"), 1)
        });
        let error = RunReader::open(run.0.path()).unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
    }
}
