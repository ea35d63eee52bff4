//! The file that is imported, plain or gzipped, or what comes through a pipe.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use super::error::ImportError;
use common::digest;

const BUFFER: usize = 1 << 16;

/// What a member of a gzip file begins with.
const GZIP: &[u8] = b"\x1f\x8b";

/// How standard input is called.
const STANDARD_INPUT: &str = "-";

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Called with the number of bytes that were read from the file.
pub(crate) type OnRead = Box<dyn Fn(u64) + Send + Sync>;

pub struct Input {
    path: PathBuf,
    file: File,
    is_gzip: bool,
    on_read: OnRead,
}

impl Input {
    /// Opens a file; `on_read` is called with the number of bytes read. It is read several times, so
    /// that what comes from standard input, `-`, goes to a file without a name first.
    ///
    /// # Errors
    /// When it cannot be read, or has nothing in it.
    pub fn open(path: &Path, on_read: OnRead) -> Result<Self, ImportError> {
        let io = |source| ImportError::Io { path: path.to_owned(), source };
        let mut file = if path == Path::new(STANDARD_INPUT) {
            let mut file = tempfile::tempfile().map_err(io)?;
            io::copy(&mut io::stdin().lock(), &mut file).map_err(io)?;
            file.rewind().map_err(io)?;
            file
        } else {
            common::input::open(path).map_err(io)?
        };
        let mut magic = [0; 2];
        let begins = match file.read(&mut magic).map_err(io)? {
            0 => return Err(ImportError::Empty { path: path.to_owned() }),
            count => &magic[..count],
        };
        Ok(Self { path: path.to_owned(), is_gzip: begins == GZIP, file, on_read })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content from its start.
    pub(super) fn content(&mut self) -> Result<Box<dyn BufRead + '_>, ImportError> {
        self.file.rewind().map_err(|error| ImportError::reading(&self.path, error))?;
        let file = Watched { file: &self.file, on_read: &self.on_read };
        let mut content: Box<dyn BufRead + '_> = if self.is_gzip {
            let members =
                Members { decoder: Some(GzDecoder::new(BufReader::with_capacity(BUFFER, file))) };
            Box::new(BufReader::with_capacity(BUFFER, members))
        } else {
            Box::new(BufReader::with_capacity(BUFFER, file))
        };
        // Programs on Windows begin their texts with it.
        let begins = content.fill_buf().map_err(|error| ImportError::reading(&self.path, error))?;
        if begins.starts_with(BYTE_ORDER_MARK) {
            content.consume(BYTE_ORDER_MARK.len());
        }
        Ok(content)
    }

    /// `sha256:…` of the file.
    pub(super) fn digest(&mut self) -> Result<String, ImportError> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        let mut read = || -> io::Result<()> {
            self.file.rewind()?;
            loop {
                match self.file.read(&mut buffer)? {
                    0 => return Ok(()),
                    count => hash.update(&buffer[..count]),
                }
            }
        };
        read().map_err(|error| ImportError::reading(&self.path, error))?;
        Ok(digest::text(&hash.finalize()))
    }
}

/// All members of a gzip file, as gzip reads it: zeros and whatever else follows the last one are
/// passed over.
struct Members<R> {
    /// None once all are read.
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(mut input) = self.decoder.take().map(GzDecoder::into_inner) else { break };
            let zeros = |bytes: &[u8]| bytes.iter().take_while(|byte| **byte == 0).count();
            let mut padding = zeros(input.fill_buf()?);
            while padding > 0 {
                input.consume(padding);
                padding = zeros(input.fill_buf()?);
            }
            // More than a byte of it need not have come.
            let is_member = input.fill_buf()?.first() == GZIP.first();
            self.decoder = is_member.then(|| GzDecoder::new(input));
        }
        Ok(0)
    }
}

struct Watched<'a> {
    file: &'a File,
    on_read: &'a OnRead,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.on_read)(count as u64);
        Ok(count)
    }
}
