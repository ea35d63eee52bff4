//! What a run may come to.

use common::exit::Exit;
use run_log::format::{Run, Shard, ValidityState};
use scenario::Profile;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    Pending,
    /// Killed, interrupted, or ended before the plateau: why; and whether it is invalid besides.
    Incomplete(&'static str, Validity),
    /// What was measured cannot be read, or does not agree with itself.
    Unusable,
    /// Scaled down: shown, never judged.
    Quick,
    /// A part of a plan, which is judged as a whole.
    Part(Shard),
    /// Of another load than the scenario's, which this says nothing of.
    OtherLoad,
    Passed,
    Failed,
    /// Suspect or invalid: the figures are the generator's.
    Invalid(ValidityState),
    /// Nothing was expected of it.
    Measured,
}

/// Whether the figures of a run are the target's. What is not judged may be doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Good,
    Bad(ValidityState),
}

impl Conclusion {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Incomplete(..) => "INCOMPLETE",
            Self::Unusable => "UNUSABLE",
            Self::Quick => "QUICK PROFILE",
            Self::Part(_) => "PART",
            Self::OtherLoad => "OTHER LOAD",
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Invalid(ValidityState::Suspect) => "SUSPECT",
            Self::Invalid(_) => "INVALID",
            Self::Measured => "MEASURED",
        }
    }

    /// Whether the scenario ran to its end, however it turned out.
    pub const fn is_complete(&self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::Incomplete(..) | Self::Unusable | Self::Part(_) | Self::OtherLoad
        )
    }

    /// What is expected and was not shown to hold is a threshold that failed; nothing but a valid
    /// run ends well.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Pending | Self::Quick | Self::Part(_) | Self::Passed | Self::Measured => {
                Exit::Good
            }
            Self::Incomplete(_, Validity::Good) | Self::Unusable => Exit::Incomplete,
            Self::Failed | Self::OtherLoad => Exit::Threshold,
            Self::Incomplete(_, Validity::Bad(_)) | Self::Invalid(_) => Exit::Invalid,
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
