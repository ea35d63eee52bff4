//! Why a run, or its load, is to end before its plan does.

use std::time::Duration;

use common_net::signals::Interrupt;
use serde::{Deserialize, Serialize};

use crate::schedule::Ends;
use crate::time::At;
use run_log::format::{EndedBy, Phase};
use run_log::phase::first_step;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// None where there is nothing to wait for any more, as the target has recovered.
    pub why: Option<EndedBy>,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The load: how the target recovers from it is measured, where that was asked for.
    Load,
    /// Everything; what is under way may still end.
    All,
    /// What is under way, too.
    Now,
}

impl Cut {
    /// What a signal asks for; none came, if it is none.
    pub(crate) fn by(interrupt: Interrupt) -> Option<Self> {
        let (signal, what) = match interrupt {
            Interrupt::None => return None,
            Interrupt::Stop { signal } => (signal, What::All),
            Interrupt::Abort { signal } => (signal, What::Now),
        };
        Some(Self { why: Some(EndedBy::Signal(signal)), what })
    }

    /// What a reason asks for that was found while it ran.
    pub(crate) fn because(why: EndedBy) -> Self {
        let what = if let EndedBy::StopOn(_) = why { What::Load } else { What::All };
        Self { why: Some(why), what }
    }

    /// The target is what it was at the first step, or cannot be.
    pub(crate) const RECOVERY_OVER: Self = Self { why: None, what: What::All };
}

/// How a recovery is bounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovering {
    bound: Duration,
    /// Where the first step ends: before it there is nothing to go back to.
    from: At,
}

impl Recovering {
    /// Of a plan with these phases; none where no recovery was asked for.
    pub(super) fn of(bound: Duration, phases: &[Phase]) -> Option<Self> {
        let first = first_step(phases)?;
        let from = At::START + Duration::from_secs_f64(first.window.end());
        (!bound.is_zero()).then_some(Self { bound, from })
    }

    /// The ends of a plan of which this is to end at a time.
    pub(super) fn ends(recovering: Option<Self>, what: What, at: At) -> Ends {
        match recovering.filter(|of| what == What::Load && at >= of.from) {
            Some(Self { bound, .. }) => Ends { load: at, rest: at + bound },
            None => Ends::at(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_log::format::Window;

    #[test]
    fn a_recovery_follows_the_load_alone_and_not_before_the_first_step_is_over() {
        let phase = Phase {
            name: "step 1".to_owned(),
            window: Window::new(2, 10.0),
            users: 5,
            load_held: None,
        };
        let of =
            |seconds| Recovering::of(Duration::from_secs(seconds), std::slice::from_ref(&phase));
        let at = |seconds| At::START + Duration::from_secs(seconds);
        let ends = |what, seconds| Recovering::ends(of(60), what, at(seconds));
        assert_eq!(ends(What::Load, 10), Ends { load: at(10), rest: at(70) });
        assert_eq!(ends(What::Load, 9), Ends::at(at(9)));
        assert_eq!(ends(What::All, 20), Ends::at(at(20)));
        assert_eq!(ends(What::Now, 20), Ends::at(at(20)));
        assert!(of(0).is_none() && Recovering::of(Duration::from_secs(60), &[]).is_none());
    }
}
