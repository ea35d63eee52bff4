//! Writes a run directory, a second at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{self, IntervalLogWriterBuilder};
use serde::Serialize;

use super::audit::{AuditRow, MarkRow};
use super::format::Phase;
use super::format::{
    AUDIT_CSV, ERRORS_JSONL, ErrorSample, FAILURES_CSV, FIDELITY_CSV, FailureRow, FidelityRow,
    LATENCY_HLOG, MARKS_CSV, RUN_JSON, Run, STATS_CSV, STATS_HISTORY_CSV, TARGET_CSV, TIMELINE_CSV,
    Tag, TargetSample,
};
use super::phase::phase_of;
use super::stats::{StatsHistoryRow, StatsRow};
use super::timeline::{Row, Second};

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not empty; choose another folder, or replace what is in it with --force", dir.display())]
    NotEmpty { dir: PathBuf },
    #[error("{} is not empty and holds no run, so it is not replaced", dir.display())]
    NotARun { dir: PathBuf },
}

/// Every file that a run directory may hold.
const FILES: [&str; 11] = [
    RUN_JSON,
    LATENCY_HLOG,
    TIMELINE_CSV,
    STATS_CSV,
    STATS_HISTORY_CSV,
    FAILURES_CSV,
    ERRORS_JSONL,
    FIDELITY_CSV,
    TARGET_CSV,
    MARKS_CSV,
    AUDIT_CSV,
];

/// What a target says when it fails is for its owner alone, as traces are.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Removes the files of a run.
fn empty(dir: &Path) -> Result<(), WriteError> {
    for file in FILES {
        match fs::remove_file(dir.join(file)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(WriteError::Io { path: dir.to_owned(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes a run directory, if there is one.
///
/// # Errors
/// When it cannot be removed, or is not a run's.
pub fn remove(dir: &Path) -> Result<(), WriteError> {
    RunWriter::check(dir, true)?;
    empty(dir)?;
    fs::remove_dir(dir).map_err(|source| WriteError::Io { path: dir.to_owned(), source })
}

/// A run directory being written. What was handed over is with the kernel when
/// the call returns, so that a killed run keeps it.
pub struct RunWriter {
    dir: PathBuf,
    phases: Vec<Phase>,
    timeline: Table,
    history: Table,
    target: Table,
    /// Of a run with an audit.
    marks: Option<Table>,
    errors: File,
    latency: File,
}

impl RunWriter {
    /// Makes the directory and looks whether a run may be written there, so that the
    /// answer is known before anything is sent.
    ///
    /// # Errors
    /// As [`RunWriter::create`].
    pub fn check(dir: &Path, force: bool) -> Result<(), WriteError> {
        let io_error = |source| WriteError::Io { path: dir.to_owned(), source };
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(io_error)?;
        }
        match DirBuilder::new().mode(DIR_MODE).create(dir) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io_error(source));
            }
            _ => {}
        }
        let mut is_empty = true;
        for entry in fs::read_dir(dir).map_err(io_error)? {
            is_empty = false;
            let name = entry.map_err(io_error)?.file_name();
            if !name.to_str().is_some_and(|name| FILES.contains(&name.trim_end_matches(".tmp"))) {
                return Err(WriteError::NotARun { dir: dir.to_owned() });
            }
        }
        if !is_empty && !force {
            return Err(WriteError::NotEmpty { dir: dir.to_owned() });
        }
        let probe = dir.join(RUN_JSON).with_extension("json.tmp");
        create_new(&probe).and_then(|_| fs::remove_file(&probe)).map_err(io_error)
    }

    /// Makes the directory, and writes what is known before the start.
    ///
    /// # Errors
    /// When it cannot be written, or is not empty and `force` is not given; a
    /// directory that is not a run's is never replaced.
    pub fn create(dir: &Path, force: bool, run: &Run) -> Result<Self, WriteError> {
        Self::check(dir, force)?;
        // It was there before, and is a run's from now on.
        fs::set_permissions(dir, Permissions::from_mode(DIR_MODE))
            .map_err(|source| WriteError::Io { path: dir.to_owned(), source })?;
        empty(dir)?;
        let path = dir.join(LATENCY_HLOG);
        let write_error = |source| WriteError::Io { path: path.clone(), source };
        let mut latency = create_new(&path).map_err(write_error)?;
        let since_epoch = Duration::from_micros(
            u64::try_from(run.started.timestamp_micros()).unwrap_or_default(),
        );
        // The builder writes the header; each second's writer below appends to it.
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment("[Values are microseconds]")
            .with_start_time(wall(since_epoch))
            .with_base_time(wall(since_epoch))
            .begin_log_with(&mut latency, &mut serializer)
            .map_err(write_error)?;
        let writer = Self {
            timeline: Table::create(dir, TIMELINE_CSV)?,
            history: Table::create(dir, STATS_HISTORY_CSV)?,
            target: Table::create(dir, TARGET_CSV)?,
            marks: run.audit.as_ref().map(|_| Table::create(dir, MARKS_CSV)).transpose()?,
            errors: create(&dir.join(ERRORS_JSONL))?,
            latency,
            phases: run.phases.clone(),
            dir: dir.to_owned(),
        };
        writer.run(run)?;
        Ok(writer)
    }

    /// Writes `run.json` anew.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(&self, run: &Run) -> Result<(), WriteError> {
        let path = self.dir.join(RUN_JSON);
        replace(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, run).map_err(io::Error::from)?;
            file.write_all(b"\n")
        })
    }

    /// What seconds from here on are called, where the plan was shortened.
    pub fn name_by(&mut self, phases: Vec<Phase>) {
        self.phases = phases;
    }

    /// Appends a closed second.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn second<'a>(
        &mut self,
        row: &Second,
        histograms: impl Iterator<Item = (Tag, &'a Histogram<u64>)>,
        history: &StatsHistoryRow,
    ) -> Result<(), WriteError> {
        self.timeline.append(&Row { second: row, phase: phase_of(&self.phases, row.second) })?;
        self.history.append(history)?;
        let path = self.dir.join(LATENCY_HLOG);
        let write_error = |source| WriteError::Io { path: path.clone(), source };
        let mut lines = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        // Without the headers, which stand at the top of the file already.
        let mut log = IntervalLogWriterBuilder::new()
            .begin_log_with(&mut lines, &mut serializer)
            .map_err(write_error)?;
        let (start, length) = (Duration::from_secs(row.second), Duration::from_secs(1));
        for (tag, histogram) in histograms {
            let text = tag.to_string();
            log.write_histogram(histogram, start, length, interval_log::Tag::new(&text))
                .map_err(|error| write_error(io::Error::other(error.to_string())))?;
        }
        self.latency.write_all(&lines).map_err(write_error)
    }

    /// Appends samples of failing answers.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn errors(&mut self, samples: &[ErrorSample]) -> Result<(), WriteError> {
        let path = || self.dir.join(ERRORS_JSONL);
        for sample in samples {
            let mut line = serde_json::to_vec(sample)
                .map_err(|error| WriteError::Io { path: path(), source: error.into() })?;
            line.push(b'\n');
            self.errors
                .write_all(&line)
                .map_err(|source| WriteError::Io { path: path(), source })?;
        }
        Ok(())
    }

    /// Appends samples of the target.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn target(&mut self, samples: &[TargetSample]) -> Result<(), WriteError> {
        samples.iter().try_for_each(|sample| self.target.append(sample))
    }

    /// Appends marks of audited requests, all of them handed to the kernel at once; a run without
    /// an audit has none.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn marks(&mut self, rows: &[MarkRow]) -> Result<(), WriteError> {
        match &mut self.marks {
            Some(table) if !rows.is_empty() => table.append_all(rows),
            _ => Ok(()),
        }
    }

    /// Writes the tables of the whole run and, last, that it is finished.
    ///
    /// # Errors
    /// When something cannot be written; the run then reads as incomplete.
    pub fn finish(
        self,
        run: &Run,
        stats: &[StatsRow],
        failures: &[FailureRow],
        fidelity: &[FidelityRow],
    ) -> Result<(), WriteError> {
        table(&self.dir.join(STATS_CSV), stats)?;
        table(&self.dir.join(FAILURES_CSV), failures)?;
        table(&self.dir.join(FIDELITY_CSV), fidelity)?;
        for file in [&self.latency, &self.errors] {
            file.sync_all().map_err(|source| WriteError::Io { path: self.dir.clone(), source })?;
        }
        self.run(run)
    }
}

fn wall(since_epoch: Duration) -> std::time::SystemTime {
    std::time::SystemTime::UNIX_EPOCH + since_epoch
}

fn create(path: &Path) -> Result<File, WriteError> {
    create_new(path).map_err(|source| WriteError::Io { path: path.to_owned(), source })
}

/// A file of ours that was not there before: a symbolic link is removed, never followed.
fn create_new(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// A CSV file that rows are appended to, each handed to the kernel at once.
struct Table {
    path: PathBuf,
    rows: csv::Writer<File>,
}

impl Table {
    fn create(dir: &Path, name: &str) -> Result<Self, WriteError> {
        let path = dir.join(name);
        let rows = csv::Writer::from_writer(create(&path)?);
        Ok(Self { path, rows })
    }

    fn append(&mut self, row: &impl Serialize) -> Result<(), WriteError> {
        self.append_all(std::slice::from_ref(row))
    }

    fn append_all(&mut self, rows: &[impl Serialize]) -> Result<(), WriteError> {
        let written = rows.iter().try_for_each(|row| self.rows.serialize(row));
        written
            .map_err(io::Error::from)
            .and_then(|()| self.rows.flush())
            .map_err(|source| WriteError::Io { path: self.path.clone(), source })
    }
}

/// `audit.csv` being written, a row at a time: it is in its place when all rows are in it.
#[must_use = "it is in its place only when it is finished"]
pub struct Findings {
    path: PathBuf,
    rows: csv::Writer<File>,
}

impl Findings {
    /// Of the run in `dir`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(dir: &Path) -> Result<Self, WriteError> {
        let path = dir.join(AUDIT_CSV);
        let rows = csv::Writer::from_writer(create(&beside(&path))?);
        Ok(Self { path, rows })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn push(&mut self, row: &AuditRow) -> Result<(), WriteError> {
        self.rows.serialize(row).map_err(|error| self.error(error.into()))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        let written = self.rows.flush().and_then(|()| fs::rename(beside(&self.path), &self.path));
        written.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError::Io { path: self.path.clone(), source }
    }
}

/// Writes a whole table.
fn table(path: &Path, rows: &[impl Serialize]) -> Result<(), WriteError> {
    replace(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        rows.iter().try_for_each(|row| table.serialize(row)).map_err(io::Error::from)?;
        table.flush()
    })
}

/// Writes a file beside the old one and puts it in its place.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    let error = |source| WriteError::Io { path: path.to_owned(), source };
    let beside = beside(path);
    let mut file = BufWriter::new(create_new(&beside).map_err(error)?);
    write(&mut file).and_then(|()| file.flush()).map_err(error)?;
    fs::rename(&beside, path).map_err(error)
}

/// Where a file is until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}
