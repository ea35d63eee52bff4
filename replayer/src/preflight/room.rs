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
    let descriptors = good(
        Check::Descriptors,
        format!("{needed} connections of {}{each}", grouped(*descriptors)),
    );
    let ports = match ports {
        Some(ports) => {
            good(Check::Ports, format!("{needed} connections of {}{each}", grouped(*ports)))
        }
        None => Row::new(Check::Ports, State::NotAsked, "this system does not say how many it has"),
    };
    let if_fast = match pacing {
        Pacing::Open => "",
        Pacing::Closed => ", if it answers as fast as recorded",
    };
    let (peak, most) = (grouped(*peak), grouped(max_rate.per_second() as u64));
    let rate = format!("{peak} requests in the busiest second, of {most} (--max-rate){if_fast}");
    [descriptors, ports, good(Check::Rate, rate)]
}
