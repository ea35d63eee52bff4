//! Whether there are descriptors, local ports and rate enough: figures of the plan, which is refused
//! before where there are not.

use super::table::{Check, Row, State, grouped};
use crate::config::Room;
use scenario::Pacing;

/// A row each; of what has no plan of a load, none is asked.
pub(super) fn rows(room: Option<&Room>, pacing: Pacing) -> [Row; 3] {
    let Some(Room { processes, connections, descriptors, ports, peak, max_rate }) = room else {
        return [Check::Descriptors, Check::Ports, Check::Rate]
            .map(|check| Row::new(check, State::NotAsked, "no load is planned"));
    };
    let good = |check, says: String| Row::new(check, State::Good, says);
    let each = match processes {
        1 => String::new(),
        processes => format!(", in each of {processes} processes"),
    };
    let needed = grouped(*connections);
    let of = |fit: &u64| format!("{needed} connections at most, and {} fit{each}", grouped(*fit));
    let ports = match ports {
        Some(ports) => good(Check::Ports, of(ports)),
        None => Row::new(Check::Ports, State::NotAsked, "this system does not say how many it has"),
    };
    let if_fast = match pacing {
        Pacing::Open => "",
        Pacing::Closed => ", if it answers as fast as recorded",
    };
    let peak = grouped(*peak);
    let rate = format!("{peak} requests in the busiest second{if_fast}; --max-rate is {max_rate}");
    [good(Check::Descriptors, of(descriptors)), ports, good(Check::Rate, rate)]
}
