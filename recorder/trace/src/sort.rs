//! External merge sort of a journal's lines by (at, id).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// What lines are sorted by: a late capture follows the request that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub at: u64,
    pub id: String,
    pub kind: LineKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    Request,
    Capture,
}

/// Runs that are merged at once: each takes a descriptor and a buffer.
const MOST_RUNS: usize = 64;

/// Lines with their keys, held in memory up to a bound and beyond it in sorted
/// runs: temporary files without a name, so that no crash leaves them behind.
///
/// Of [`MOST_RUNS`] runs of one level one of the next is made. With runs of 64 MiB a terabyte has
/// three levels, and however large it is, at most as many files are open as there are levels
/// times [`MOST_RUNS`].
pub struct Sorter {
    folder: PathBuf,
    run_bytes: usize,
    held: Vec<(Key, Vec<u8>)>,
    held_bytes: usize,
    /// By level, those that were not merged yet: a run of a level holds those of the level below.
    levels: Vec<Vec<File>>,
}

impl Sorter {
    pub fn new(folder: &Path, run_bytes: usize) -> Self {
        let folder = folder.to_owned();
        Self { folder, run_bytes, held: Vec::new(), held_bytes: 0, levels: Vec::new() }
    }

    pub fn add(&mut self, key: Key, line: &[u8]) -> io::Result<()> {
        self.held_bytes += line.len() + key.id.len() + size_of::<(Key, Vec<u8>)>();
        self.held.push((key, line.to_vec()));
        if self.held_bytes >= self.run_bytes { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        for (key, line) in self.held.drain(..) {
            write_record(&mut out, &key, &line)?;
        }
        self.held_bytes = 0;
        self.keep(0, begin_again(out)?)
    }

    /// Keeps a run of a level; with those beside it, it may become one of the next.
    fn keep(&mut self, level: usize, run: File) -> io::Result<()> {
        if level == self.levels.len() {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(run);
        if self.levels[level].len() < MOST_RUNS {
            return Ok(());
        }
        let merged = merge(&self.folder, std::mem::take(&mut self.levels[level]))?;
        self.keep(level + 1, merged)
    }

    /// The lines in order.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        self.held.sort_by(|a, b| a.0.cmp(&b.0));
        // The small ones first, until few enough are left.
        let mut left: Vec<File> = Vec::new();
        for level in std::mem::take(&mut self.levels) {
            left.extend(level);
            if left.len() >= MOST_RUNS {
                left = vec![merge(&self.folder, left)?];
            }
        }
        let mut runs = vec![Run::Held(self.held.into_iter())];
        runs.extend(left.into_iter().map(Run::of));
        Sorted::of(runs)
    }
}

/// One run of several.
fn merge(folder: &Path, runs: Vec<File>) -> io::Result<File> {
    let mut sorted = Sorted::of(runs.into_iter().map(Run::of).collect())?;
    let mut out = BufWriter::new(tempfile::tempfile_in(folder)?);
    while let Some((key, line)) = sorted.next_line()? {
        write_record(&mut out, &key, &line)?;
    }
    begin_again(out)
}

/// What was written, to be read from its beginning.
fn begin_again(out: BufWriter<File>) -> io::Result<File> {
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

pub struct Sorted {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Key, usize, Vec<u8>)>>,
}

impl Sorted {
    fn of(mut runs: Vec<Run>) -> io::Result<Self> {
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (index, run) in runs.iter_mut().enumerate() {
            if let Some((key, line)) = run.next()? {
                heads.push(Reverse((key, index, line)));
            }
        }
        Ok(Self { runs, heads })
    }

    /// The next line with its key; none after the last.
    ///
    /// # Errors
    /// When a run on the disk cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        let Some(Reverse((key, index, line))) = self.heads.pop() else { return Ok(None) };
        if let Some((next, line)) = self.runs[index].next()? {
            self.heads.push(Reverse((next, index, line)));
        }
        Ok(Some((key, line)))
    }
}

enum Run {
    Held(std::vec::IntoIter<(Key, Vec<u8>)>),
    File(BufReader<File>),
}

impl Run {
    fn of(file: File) -> Self {
        Self::File(BufReader::new(file))
    }

    fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        match self {
            Self::Held(held) => Ok(held.next()),
            Self::File(file) => read_record(file),
        }
    }
}

/// `at`, kind, and the lengths of id and line, in native order: no other process reads it.
fn write_record(out: &mut impl Write, key: &Key, line: &[u8]) -> io::Result<()> {
    out.write_all(&key.at.to_ne_bytes())?;
    out.write_all(&[u8::from(key.kind == LineKind::Capture)])?;
    out.write_all(&key.id.len().to_ne_bytes())?;
    out.write_all(&line.len().to_ne_bytes())?;
    out.write_all(key.id.as_bytes())?;
    out.write_all(line)
}

fn read_record(input: &mut BufReader<File>) -> io::Result<Option<(Key, Vec<u8>)>> {
    use std::io::BufRead;
    if input.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let at = u64::from_ne_bytes(read_array(input)?);
    let [kind] = read_array(input)?;
    let id_length = usize::from_ne_bytes(read_array(input)?);
    let line_length = usize::from_ne_bytes(read_array(input)?);
    let mut id = vec![0; id_length];
    input.read_exact(&mut id)?;
    let mut line = vec![0; line_length];
    input.read_exact(&mut line)?;
    let id = String::from_utf8(id).map_err(io::Error::other)?;
    let kind = if kind == 0 { LineKind::Request } else { LineKind::Capture };
    Ok(Some((Key { at, id, kind }, line)))
}

fn read_array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Sorter {
        fn open(&self) -> usize {
            self.levels.iter().map(Vec::len).sum()
        }
    }

    /// Sorts keys a run each, and returns them with the most files that were open.
    fn sorted(times: &[u64]) -> (Vec<u64>, usize) {
        let mut sorter = Sorter::new(&std::env::temp_dir(), 1);
        let mut most = 0;
        for &at in times {
            let key = Key { at, id: format!("r{at}"), kind: LineKind::Request };
            sorter.add(key, at.to_string().as_bytes()).unwrap();
            most = most.max(sorter.open());
        }
        let mut sorted = sorter.sorted().unwrap();
        assert!(sorted.runs.len() <= MOST_RUNS, "{} runs at once", sorted.runs.len());
        let mut out = Vec::new();
        while let Some((key, line)) = sorted.next_line().unwrap() {
            assert_eq!(line, key.at.to_string().as_bytes());
            out.push(key.at);
        }
        (out, most)
    }

    #[test]
    fn ten_thousand_runs_need_few_files() {
        // Each number once, in no order.
        let times: Vec<u64> = (0..10_007).map(|n| n * 4_099 % 10_007).collect();
        let (out, most) = sorted(&times);
        assert!(out.iter().copied().eq(0..10_007));
        assert!(most < 3 * MOST_RUNS, "{most} files");
    }

    proptest! {
        #[test]
        fn whatever_is_added_comes_back_in_order(mut times in prop::collection::vec(0_u64..500, 0..300)) {
            let (out, _) = sorted(&times);
            times.sort_unstable();
            prop_assert_eq!(out, times);
        }
    }
}
