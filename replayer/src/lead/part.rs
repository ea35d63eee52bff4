//! The part's side: it takes orders from standard input and reports on standard output.

use std::io::{self, BufRead as _};

use chrono::{DateTime, Utc};
use run_log::format::EndedBy;
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
    pub async fn armed(&mut self) -> Option<DateTime<Utc>> {
        match self.orders.recv().await {
            Some(Order::Arm { at }) => Some(at),
            Some(Order::Stop(_)) | None => None,
        }
    }

    /// Whatever is to end the run from now on; needs a runtime.
    pub fn cuts(mut self) -> watch::Receiver<Option<Cut>> {
        let (cut, cuts) = watch::channel(None);
        tokio::spawn(async move {
            while let Some(order) = self.orders.recv().await {
                if let Order::Stop(why) = order {
                    cut.send_replace(Some(why));
                }
            }
            // The lead is gone, and whoever would end this run with it.
            let why = EndedBy::Signal(Signal::HUP.as_raw());
            cut.send_replace(Some(Cut { why: Some(why), what: What::All }));
            cut.closed().await;
        });
        cuts
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
