//! A progress bar for reading files, where that takes long.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use trace::reader::bytes_read;

/// Above this size a bar is shown, on a terminal.
const FROM: u64 = 100 << 20;

/// A bar for files of this total size that are read this many times.
pub(super) fn bar(bytes: u64, times: u64) -> ProgressBar {
    if bytes <= FROM {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(times * bytes), ProgressDrawTarget::stderr());
    // The template is a literal; the style without it would do as well.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

/// Shows how far traces are read until it is dropped.
pub(super) struct Watched {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watched {
    pub(super) fn new<'a>(traces: impl IntoIterator<Item = &'a Path>, times: u64) -> Self {
        // A file that cannot be examined is reported when it is opened.
        let size = |trace: &Path| std::fs::metadata(trace).map_or(0, |data| data.len());
        let bar = bar(traces.into_iter().map(size).sum(), times);
        if bar.is_hidden() {
            return Self { stop: None, thread: None };
        }
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout)
            {
                bar.set_position(bytes_read());
            }
            bar.finish_and_clear();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only draws.
            let _ = thread.join();
        }
    }
}
