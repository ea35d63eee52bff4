//! Looks at every source once a second, each in a task of its own: one that hangs holds up neither
//! the run nor the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use run_log::format::{TargetSample, Window};

/// Longer than this an answer is not waited for: the second is left out.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same of what is asked only when the plateau begins and when it is over.
const LONG_PATIENCE: Duration = Duration::from_secs(2);

/// So many seconds in a row a source that nobody named has to say nothing until that is told: one
/// or two are an answer that came late.
const TOLD_FROM: u64 = 3;

/// Figures by their metric.
pub(super) type Figures = Vec<(String, f64)>;

/// Something that is looked at once a second. Each look may be given up at any point.
pub(super) trait Source: Send + 'static {
    /// What is seen of it now; none where it did not answer.
    fn look(&mut self) -> impl Future<Output = Option<Figures>> + Send;

    /// A look took too long, and was given up.
    fn gave_up(&mut self) {}

    /// The plateau begins.
    fn plateau_begins(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// The plateau is over: what is known only of all of it.
    fn plateau_ended(&mut self) -> impl Future<Output = Figures> + Send {
        async { Vec::new() }
    }

    /// What limits the meaning of its figures, in words.
    fn limitations(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A second of the run is over.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    /// The one that begins.
    second: u64,
    /// As far as it is known by now: a run may end early.
    plateau: Window,
    is_last: bool,
}

/// What is looked at while a run goes on.
pub struct Observer {
    ticks: watch::Sender<Tick>,
    // Bounded by the ticks: a batch a source for each of them, and whoever ticks takes them.
    to_samples: mpsc::UnboundedSender<Vec<TargetSample>>,
    samples: mpsc::UnboundedReceiver<Vec<TargetSample>>,
    tasks: Vec<(String, JoinHandle<Vec<String>>)>,
    /// Requests that the target counts, too.
    asked: Arc<AtomicU64>,
}

impl Default for Observer {
    /// Looks at nothing.
    fn default() -> Self {
        let (to_samples, samples) = mpsc::unbounded_channel();
        Self {
            ticks: watch::Sender::new(Tick::default()),
            to_samples,
            samples,
            tasks: Vec::new(),
            asked: Arc::default(),
        }
    }
}

impl Observer {
    /// Counts what is sent to the target itself.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.asked)
    }

    /// Looks at a source, which is second 0 of the run, and from then on once a second; whether it
    /// said anything. `named` is what it was called by whoever asked for it.
    pub(super) async fn add(
        &mut self,
        name: String,
        is_named: bool,
        mut source: impl Source,
    ) -> bool {
        let mut said = Said { is_named, ..Said::default() };
        let first = look(&mut source).await;
        said.note(0, first.is_some());
        let has_spoken = said.has_spoken;
        // Whoever takes them is here.
        let _ = self.to_samples.send(samples(0, first.unwrap_or_default()));
        let (ticks, to_samples) = (self.ticks.subscribe(), self.to_samples.clone());
        let of = name.clone();
        let task = tokio::spawn(async move {
            let said = follow(&mut source, said, ticks, to_samples).await;
            said.in_words(&of).into_iter().chain(source.limitations()).collect()
        });
        self.tasks.push((name, task));
        has_spoken
    }

    /// The run begins. Nothing is looked at again for it.
    pub fn begins(&self, plateau: Window) {
        self.ticks.send_replace(Tick { second: 0, plateau, is_last: false });
    }

    /// This second of the run begins. Whoever is still busy with the one before passes it over.
    pub fn tick(&self, second: u64, plateau: Window) {
        self.ticks.send_replace(Tick { second, plateau, is_last: false });
    }

    /// Has everything looked at a last time, and waits for that; what of it limits the figures.
    pub async fn finish(&mut self, second: u64, plateau: Window) -> Vec<String> {
        self.ticks.send_replace(Tick { second, plateau, is_last: true });
        let mut limitations = Vec::new();
        for (name, task) in self.tasks.drain(..) {
            // Each step of it is bounded, and a look may have been under way.
            match timeout(2 * (PATIENCE + LONG_PATIENCE), task).await {
                Ok(Ok(of_source)) => limitations.extend(of_source),
                Ok(Err(_)) | Err(_) => limitations.push(format!("{name} was not seen to the end")),
            }
        }
        limitations
    }

    /// The samples since the last call.
    pub fn take(&mut self) -> Vec<TargetSample> {
        let mut all = Vec::new();
        while let Ok(samples) = self.samples.try_recv() {
            all.extend(samples);
        }
        all
    }

    /// Requests that were sent to the target so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Where a source is with the plateau.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plateau {
    Ahead,
    On,
    Over,
}

/// Looks at a source with every tick, up to the last one.
async fn follow(
    source: &mut impl Source,
    mut said: Said,
    mut ticks: watch::Receiver<Tick>,
    to_samples: mpsc::UnboundedSender<Vec<TargetSample>>,
) -> Said {
    let mut at = Plateau::Ahead;
    // There are no further ticks where the run did not come about.
    while ticks.changed().await.is_ok() {
        let Tick { second, plateau, is_last } = *ticks.borrow_and_update();
        let Window { start_s, end_s, .. } = plateau;
        let mut found = Vec::new();
        if second > 0 {
            let figures = look(source).await;
            said.note(second, figures.is_some());
            found = samples(second, figures.unwrap_or_default());
        }
        if at == Plateau::Ahead && second >= start_s && !is_last {
            at = Plateau::On;
            let _ = timeout(LONG_PATIENCE, source.plateau_begins()).await;
        } else if at == Plateau::On && (second >= end_s || is_last) {
            at = Plateau::Over;
            let figures = timeout(LONG_PATIENCE, source.plateau_ended()).await.unwrap_or_default();
            // What is of the plateau stands in its last second: later ones are passed over.
            found.extend(samples(end_s.saturating_sub(1), figures));
        }
        if to_samples.send(found).is_err() || is_last {
            break;
        }
    }
    said
}

async fn look(source: &mut impl Source) -> Option<Figures> {
    match timeout(PATIENCE, source.look()).await {
        Ok(figures) => figures,
        Err(_too_slow) => {
            source.gave_up();
            None
        }
    }
}

fn samples(second: u64, figures: Figures) -> Vec<TargetSample> {
    let sample = |(metric, value)| TargetSample { second, metric, value };
    figures.into_iter().map(sample).collect()
}

/// When a source said something.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    is_named: bool,
    has_spoken: bool,
    /// Since when it has said nothing.
    silent_since: Option<u64>,
    last: u64,
    /// Seconds that it left out and spoke again after.
    left_out: u64,
}

impl Said {
    fn note(&mut self, second: u64, has_spoken: bool) {
        self.last = second;
        if !has_spoken {
            self.silent_since.get_or_insert(second);
            return;
        }
        if let Some(since) = self.silent_since.take() {
            self.left_out += second - since;
        }
        self.has_spoken = true;
    }

    /// What it did not say. Of a source that nobody named that is none where it never spoke.
    fn in_words(self, name: &str) -> Option<String> {
        let Self { is_named, has_spoken, silent_since, last, left_out } = self;
        let is_told = |since: u64| is_named || has_spoken && last - since + 1 >= TOLD_FROM;
        match silent_since {
            Some(since) if is_told(since) => {
                Some(format!("{name} said nothing from second {since} on"))
            }
            _ if is_named && left_out > 0 => {
                Some(format!("{name} said nothing in {left_out} of {last} seconds"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// What it says to each look; it hangs where that is none.
    struct Scripted(VecDeque<Option<Option<f64>>>, u64);

    impl Source for Scripted {
        async fn look(&mut self) -> Option<Figures> {
            match self.0.pop_front() {
                Some(Some(value)) => Some(vec![("level".to_owned(), value?)]),
                Some(None) => std::future::pending().await,
                None => None,
            }
        }

        async fn plateau_begins(&mut self) {
            self.1 = 1;
        }

        async fn plateau_ended(&mut self) -> Figures {
            vec![("whole".to_owned(), self.1 as f64)]
        }
    }

    /// Everything that is said of these seconds, once a source after the other is asked.
    async fn said(is_named: bool, script: &[Option<Option<f64>>], plateau: Window) -> Told {
        let mut observer = Observer::default();
        let source = Scripted(script.iter().copied().collect(), 0);
        observer.add("it".to_owned(), is_named, source).await;
        observer.begins(plateau);
        tokio::time::sleep(Duration::from_secs(1)).await;
        for second in 1..script.len() as u64 - 1 {
            observer.tick(second, plateau);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let limitations = observer.finish(script.len() as u64 - 1, plateau).await;
        let samples = observer.take();
        let samples = samples.into_iter().map(|of| (of.second, of.metric, of.value)).collect();
        Told { samples, limitations }
    }

    struct Told {
        samples: Vec<(u64, String, f64)>,
        limitations: Vec<String>,
    }

    const A: Option<Option<f64>> = Some(Some(7.0));
    const REFUSED: Option<Option<f64>> = Some(None);
    const HANGS: Option<Option<f64>> = None;

    #[tokio::test(start_paused = true)]
    async fn what_says_nothing_leaves_its_seconds_out_and_is_named() {
        let plateau = Window::new(1, 5.0);
        let cases: [(&[_], bool, &[u64], &[&str]); 6] = [
            (&[A, A, A, A, A], true, &[0, 1, 2, 3, 4], &[]),
            (&[A, A, HANGS, HANGS, HANGS], true, &[0, 1], &["it said nothing from second 2 on"]),
            (&[A, REFUSED, A, HANGS, A], true, &[0, 2, 4], &["it said nothing in 2 of 4 seconds"]),
            (&[HANGS; 4], true, &[], &["it said nothing from second 0 on"]),
            // Nobody asked for it, so that it need not be there.
            (&[REFUSED; 5], false, &[], &[]),
            (
                &[A, A, REFUSED, HANGS, REFUSED],
                false,
                &[0, 1],
                &["it said nothing from second 2 on"],
            ),
        ];
        for (script, is_named, seconds, limitations) in cases {
            let told = said(is_named, script, plateau).await;
            let looks = told.samples.iter().filter(|(_, metric, _)| metric == "level");
            let looks: Vec<u64> = looks.map(|(second, ..)| *second).collect();
            assert_eq!(looks, seconds, "{script:?}");
            assert_eq!(told.limitations, limitations, "{script:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_of_the_plateau_stands_in_its_last_second() {
        let whole = |plateau: Window| async move {
            let told = said(true, &[A; 7], plateau).await;
            let whole = told.samples.into_iter().filter(|(_, metric, _)| metric == "whole");
            whole.map(|(second, _, value)| (second, value)).collect::<Vec<_>>()
        };
        assert_eq!(whole(Window::new(2, 5.0)).await, [(4, 1.0)]);
        assert_eq!(whole(Window::new(0, 4.5)).await, [(4, 1.0)]);
        // The run's last second is the plateau's.
        assert_eq!(whole(Window::new(0, 99.0)).await, [(98, 1.0)]);
        // It never came.
        assert!(whole(Window::new(20, 99.0)).await.is_empty());
    }
}
