//! Everything that is observed, from its first look on.

use std::sync::Arc;

use http1::Destination;

use super::exporter::Exporter;
use super::machine::{self, Machine};
use super::named::{By, Named, ObserveError};
use super::postgres::Postgres;
use super::processes::{Processes, Which};
use super::target::{self, Target};
use super::watch::Observer;

/// Observes the target, this machine and what is named, and looks at each of them for the first
/// time; which of those that are named said nothing to that.
///
/// # Errors
/// When a database cannot be connected to.
pub async fn observe(
    target: Arc<Destination>,
    named: Vec<(Named, By)>,
) -> Result<(Observer, Vec<String>), ObserveError> {
    let mut observer = Observer::default();
    let mut silent = Vec::new();
    let asked = observer.counter();
    observer.add(target::NAME.to_owned(), false, Target::new(target, asked)).await;
    observer.add(machine::NAME.to_owned(), false, Machine::default()).await;
    let mut numbers = Numbers::default();
    for (named, by) in named {
        let name = format!("{named} of {}", by.of());
        let called = name.clone();
        let has_spoken = match named {
            Named::Postgres(place) => {
                let prefix = numbered("postgres", &mut numbers.postgres);
                let source = Postgres::connect(*place, prefix, name.clone()).await?;
                observer.add(called, true, source).await
            }
            Named::Port(port) => {
                observer.add(called, true, Processes::new(Which::Listening(port))).await
            }
            Named::Pid(pid) => observer.add(called, true, Processes::new(Which::Pid(pid))).await,
            Named::Redis(redis) => {
                let prefix = numbered("redis", &mut numbers.redis);
                observer.add(called, true, redis.called(prefix)).await
            }
            Named::Prometheus { destination, path } => {
                let prefix = numbered("prometheus", &mut numbers.prometheus);
                let source = Exporter::new(destination, &path, prefix, name.clone());
                observer.add(called, true, source).await
            }
        };
        if !has_spoken {
            silent.push(name);
        }
    }
    Ok((observer, silent))
}

/// How many there are of each kind so far.
#[derive(Default)]
struct Numbers {
    postgres: u32,
    redis: u32,
    prometheus: u32,
}

/// What metrics of the next one of a kind begin with: `postgres`, then `postgres2`.
fn numbered(kind: &str, so_far: &mut u32) -> String {
    *so_far += 1;
    match *so_far {
        1 => kind.to_owned(),
        number => format!("{kind}{number}"),
    }
}
