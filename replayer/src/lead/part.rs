//! The part's side: it takes orders from standard input and reports on standard output.

use std::io::{self, BufRead as _};

use chrono::{DateTime, Utc};
use run_log::format::{EndedBy, Worker};
use rustix::process::Signal;
use tokio::sync::{mpsc, watch};

use super::message::{EncodedHistograms, Order, Report, Seen};
use crate::engine::{Cut, Tick, What};

/// What the lead has ordered.
pub struct Orders {
    orders: mpsc::UnboundedReceiver<Order>,
}

impl Orders {
    /// From standard input, which a thread reads.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn from_stdin() -> io::Result<Self> {
        let (send, orders) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
            let lines = io::stdin().lock().lines().map_while(Result::ok);
            let read = lines.filter_map(|line| serde_json::from_str(&line).ok());
            for order in read {
                if send.send(order).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { orders })
    }

    /// When second 0 is; none where it is never to come.
    pub async fn armed(&mut self) -> Option<Armed> {
        match self.orders.recv().await {
            Some(Order::Arm { at, started }) => Some(Armed { at, started }),
            Some(Order::Stop(_) | Order::Clock(_)) | None => None,
        }
    }

    /// What is told from now on; needs a runtime.
    pub fn told(mut self) -> Told {
        let (cut, cuts) = watch::channel(None);
        let (clock, clocks) = watch::channel(None);
        tokio::spawn(async move {
            while let Some(order) = self.orders.recv().await {
                match order {
                    Order::Stop(why) => drop(cut.send_replace(Some(why))),
                    Order::Clock(worker) => drop(clock.send_replace(Some(worker))),
                    Order::Arm { .. } => {}
                }
            }
            // The lead is gone, and whoever would end this run with it.
            let why = EndedBy::Signal(Signal::HUP.as_raw());
            cut.send_replace(Some(Cut { why: Some(why), what: What::All }));
            cut.closed().await;
        });
        Told { cuts, clocks }
    }
}

/// Second 0.
#[derive(Clone, Copy, Debug)]
pub struct Armed {
    /// By this machine's clock.
    pub at: DateTime<Utc>,
    /// By the clock of the run.
    pub started: DateTime<Utc>,
}

/// What a lead tells while a run goes on, the last of each.
pub struct Told {
    /// Whatever is to end it.
    pub cuts: watch::Receiver<Option<Cut>>,
    /// Who this is, and how its clock stands beside that of the run.
    pub clocks: watch::Receiver<Option<Worker>>,
}

impl Told {
    /// Where there is no lead.
    pub fn nothing() -> Self {
        Self { cuts: watch::channel(None).1, clocks: watch::channel(None).1 }
    }
}

/// Tells the lead.
pub fn report(report: &Report) {
    if let Ok(line) = serde_json::to_string(report) {
        // A lead that is gone closes standard input, too, which ends the run.
        let _ = common::say::print_json(&(line + "\n"));
    }
}

/// Tells the lead of a second.
pub fn report_second(tick: &Tick<'_>) {
    let row = Box::new(*tick.row);
    let measured = EncodedHistograms::of(&tick.collector.second);
    let seen = Seen { errors: tick.errors.to_vec(), observed: tick.observed.to_vec() };
    report(&Report::Second { row, measured, seen });
}
