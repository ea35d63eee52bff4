//! What the run of a scenario came to.

use common::exit::Exit;
use run_log::format::{EndedBy, Judgement, Run, State, ValidityState};
use scenario::Profile;

use crate::judge::Verdict;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Pending,
    /// Killed, interrupted, or ended before the plateau: why.
    Incomplete(&'static str),
    /// Scaled down: shown, never judged.
    Quick,
    Passed,
    Failed,
    /// Suspect or invalid: the figures are the generator's.
    Invalid(ValidityState),
    /// Nothing was expected of it.
    Measured,
}

impl Conclusion {
    /// Of a run whose verdicts are these; `judged_s` is the length of its plateau in seconds.
    /// Verdicts that do not count are withheld, with the reason.
    pub fn of(run: &Run, judged_s: u64, verdicts: &mut [Verdict]) -> Self {
        let withheld = if let Some(reason) = incomplete(run, judged_s) {
            Some((Self::Incomplete(reason), "the run is incomplete"))
        } else if profile(run) == Profile::Quick {
            Some((Self::Quick, "quick profile"))
        } else if run.validity.state != ValidityState::Valid {
            Some((Self::Invalid(run.validity.state), "the run is not valid"))
        } else {
            None
        };
        if let Some((conclusion, reason)) = withheld {
            verdicts.iter_mut().for_each(|verdict| verdict.withhold(reason));
            return conclusion;
        }
        // What cannot be judged is not met.
        let met = verdicts.iter().all(|verdict| verdict.result == Judgement::Met);
        match (verdicts.is_empty(), met) {
            (true, _) => Self::Measured,
            (false, true) => Self::Passed,
            (false, false) => Self::Failed,
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Incomplete(_) => "INCOMPLETE",
            Self::Quick => "QUICK PROFILE",
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Invalid(ValidityState::Suspect) => "SUSPECT",
            Self::Invalid(_) => "INVALID",
            Self::Measured => "MEASURED",
        }
    }

    /// Whether the scenario ran to its end, however it turned out.
    pub const fn is_complete(&self) -> bool {
        !matches!(self, Self::Pending | Self::Incomplete(_))
    }

    pub const fn exit(&self) -> Exit {
        match self {
            Self::Pending | Self::Quick | Self::Passed | Self::Measured => Exit::Good,
            Self::Incomplete(_) => Exit::Incomplete,
            Self::Failed => Exit::Threshold,
            Self::Invalid(_) => Exit::Invalid,
        }
    }
}

/// The load that a run had; without a scenario there is one alone.
pub fn profile(run: &Run) -> Profile {
    match run.scenario.as_ref().map(|scenario| scenario.profile) {
        Some(run_log::format::Profile::Quick) => Profile::Quick,
        Some(run_log::format::Profile::Full) | None => Profile::Full,
    }
}

fn incomplete(run: &Run, judged_s: u64) -> Option<&'static str> {
    match (&run.ended_by, run.state) {
        (_, State::Running) => Some("its writer was killed or is still at work"),
        (Some(EndedBy::Signal(_)), _) => Some("it was interrupted"),
        (Some(EndedBy::LoginsRefused), _) => Some("the target refused too many logins"),
        (Some(EndedBy::Other(_)), _) => {
            Some("it ended for a reason that this version does not know")
        }
        _ if judged_s == 0 => Some("it ended before all its users were there"),
        _ => None,
    }
}
