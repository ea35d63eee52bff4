//! How much load a probe has: so many users, requests a second, or times the recorded speed.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What grows from probe to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Users at once
    Users,
    /// Requests a second; of one persona or endpoint with --of
    Rate,
    /// Times the recorded speed
    Speed,
}

impl Axis {
    /// The level that can be had nearest to a number, which is above zero.
    pub fn nearest(self, number: f64) -> f64 {
        match self {
            Self::Users => number.round().max(1.0),
            // Three digits and a half: nobody asks for more, and names of folders stay short.
            Self::Rate | Self::Speed => {
                let unit = 10_f64.powi(number.log10().floor() as i32 - 3);
                (number / unit).round() * unit
            }
        }
    }

    /// A level with what it is of, such as `1200 users`, `105.3/s` or `2.5x`.
    pub fn shown(self, level: f64) -> String {
        match self {
            Self::Users => format!("{level} users"),
            Self::Rate => format!("{}/s", trimmed(level)),
            Self::Speed => format!("{}x", trimmed(level)),
        }
    }
}

/// Without the digits that only the binary point makes.
fn trimmed(level: f64) -> String {
    let text = format!("{level:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_what_can_be_asked_for_and_short() {
        assert_eq!(Axis::Users.shown(Axis::Users.nearest(1234.4)), "1234 users");
        assert_eq!(Axis::Users.nearest(0.2), 1.0);
        assert_eq!(Axis::Rate.shown(Axis::Rate.nearest(1234.56)), "1235/s");
        assert_eq!(Axis::Rate.shown(Axis::Rate.nearest(12.3456)), "12.35/s");
        assert_eq!(Axis::Speed.shown(Axis::Speed.nearest(0.012_345_6)), "0.01235x");
    }
}
