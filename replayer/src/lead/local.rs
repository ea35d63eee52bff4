//! Parts that are processes of this machine, reached by their standard input and output.

use std::io;
use std::process::{ExitStatus, Stdio};

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::message::Order;
use super::parts::{Parts, Said};

pub struct Local {
    /// Closed when the lead is gone, which a part takes for a reason to end.
    inputs: Vec<ChildStdin>,
    said: mpsc::Receiver<(usize, Said)>,
}

/// Lines that wait to be taken, of all parts.
const LINES: usize = 64;

impl Local {
    /// Starts a process for each of the commands; needs a runtime. They are ended when it is.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub fn start(commands: Vec<Command>) -> io::Result<Self> {
        let (says, said) = mpsc::channel(LINES);
        let mut inputs = Vec::with_capacity(commands.len());
        for (part, mut command) in commands.into_iter().enumerate() {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn()?;
            inputs.extend(child.stdin.take());
            tokio::spawn(listen(part, child, says.clone()));
        }
        Ok(Self { inputs, said })
    }
}

/// Hands over what a part says, until it is gone.
async fn listen(part: usize, mut child: Child, says: mpsc::Sender<(usize, Said)>) {
    if let Some(output) = child.stdout.take() {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // A line of something else is none of ours.
            let Ok(report) = serde_json::from_str(&line) else { continue };
            if says.send((part, Said::Report(report))).await.is_err() {
                return;
            }
        }
    }
    let how = child.wait().await.map_or_else(|error| error.to_string(), how);
    // Nobody listens where the lead ends, too.
    let _ = says.send((part, Said::Gone(how))).await;
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

impl Parts for Local {
    fn count(&self) -> usize {
        self.inputs.len()
    }

    async fn next(&mut self) -> (usize, Said) {
        match self.said.recv().await {
            Some(said) => said,
            // All are gone, and it was said of each.
            None => std::future::pending().await,
        }
    }

    async fn arm(&mut self, at: DateTime<Utc>) -> Result<(), String> {
        // One machine has one clock.
        self.tell(&Order::Arm { at, started: at }).await;
        Ok(())
    }

    async fn tell(&mut self, order: &Order) {
        let Ok(line) = serde_json::to_string(order) else { return };
        for input in &mut self.inputs {
            // Whose pipe is closed is gone, which is told apart.
            let _ = input.write_all(format!("{line}\n").as_bytes()).await;
        }
    }
}
