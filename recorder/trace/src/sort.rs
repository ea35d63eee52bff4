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

/// Lines with their keys, held in memory up to a bound and beyond it in sorted
/// runs: temporary files without a name, so that no crash leaves them behind.
pub struct Sorter {
    folder: PathBuf,
    run_bytes: usize,
    held: Vec<(Key, Vec<u8>)>,
    held_bytes: usize,
    runs: Vec<File>,
}

impl Sorter {
    pub fn new(folder: &Path, run_bytes: usize) -> Self {
        let folder = folder.to_owned();
        Self { folder, run_bytes, held: Vec::new(), held_bytes: 0, runs: Vec::new() }
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
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        self.held_bytes = 0;
        Ok(())
    }

    /// The lines in order.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        self.held.sort_by(|a, b| a.0.cmp(&b.0));
        let mut runs: Vec<Run> = vec![Run::Held(self.held.into_iter())];
        runs.extend(self.runs.into_iter().map(|file| Run::File(BufReader::new(file))));
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (index, run) in runs.iter_mut().enumerate() {
            if let Some((key, line)) = run.next()? {
                heads.push(Reverse((key, index, line)));
            }
        }
        Ok(Sorted { runs, heads })
    }
}

pub struct Sorted {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Key, usize, Vec<u8>)>>,
}

impl Sorted {
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
