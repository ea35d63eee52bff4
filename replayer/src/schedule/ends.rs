//! When users leave: most of them with the load, those of the first step of stages later, where it is
//! measured how the target recovers.

use crate::time::At;

/// Which of a run's two ends is a user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    WithLoad,
    /// Until the target has recovered.
    Longer,
}

impl Stay {
    pub const BOTH: [Self; 2] = [Self::WithLoad, Self::Longer];
}

/// Requests due from these times on are not part of the plan. They are the same where no recovery is
/// measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub load: At,
    /// Never before the load's.
    pub rest: At,
}

impl Ends {
    /// Everything ends at once.
    pub const fn at(at: At) -> Self {
        Self { load: at, rest: at }
    }

    pub const fn of(self, stay: Stay) -> At {
        match stay {
            Stay::WithLoad => self.load,
            Stay::Longer => self.rest,
        }
    }

    /// The earlier of each.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self { load: self.load.min(other.load), rest: self.rest.min(other.rest) }
    }
}
