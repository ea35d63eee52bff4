//! Progress by table: a bar on a terminal, elsewhere a line for each table.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Bars,
    Lines,
    Silent,
}

impl Progress {
    /// What suits stderr.
    pub fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Bars } else { Self::Lines }
    }

    pub(super) fn table(self, name: &str, rows: u64) -> TableProgress {
        let bar = match self {
            Self::Bars => {
                let bar = ProgressBar::new(rows);
                let style = "{prefix:12} {wide_bar} {pos}/{len} rows, {per_sec}, {eta} left";
                // A template that does not parse gives the default look.
                bar.set_style(
                    ProgressStyle::with_template(style)
                        .unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                bar.set_prefix(name.to_owned());
                bar
            }
            Self::Lines | Self::Silent => ProgressBar::hidden(),
        };
        TableProgress { progress: self, bar, name: name.to_owned(), rows }
    }
}

pub(super) struct TableProgress {
    progress: Progress,
    bar: ProgressBar,
    name: String,
    rows: u64,
}

impl TableProgress {
    pub(super) fn add(&self, rows: u64) {
        self.bar.inc(rows);
    }

    pub(super) fn finish(self, inserted: u64) {
        self.bar.finish_and_clear();
        if self.progress != Progress::Silent {
            let Self { name, rows, .. } = self;
            common::say!("{name}: {inserted} of {rows} rows inserted");
        }
    }
}
