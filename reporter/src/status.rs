//! The state of the report as a whole.

use figures::conclusion::Conclusion;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Partial {
        ran: usize,
        of: usize,
    },
    Passed,
    Failed,
    Invalid,
    Quick,
    /// Nothing was expected of any.
    Measured,
}

impl Status {
    pub fn of(conclusions: &[&Conclusion]) -> Self {
        let of = conclusions.len();
        let ran = conclusions.iter().filter(|conclusion| conclusion.is_complete()).count();
        if of == 0 {
            return Self::Pending;
        }
        let any = |wanted: fn(&Conclusion) -> bool| {
            conclusions.iter().any(|conclusion| wanted(conclusion))
        };
        if ran < of {
            let touched = ran > 0 || any(|conclusion| *conclusion != Conclusion::Pending);
            return if touched { Self::Partial { ran, of } } else { Self::Pending };
        }
        // With one quick run among them, the whole can be called neither passed nor failed.
        if any(|conclusion| *conclusion == Conclusion::Quick) {
            Self::Quick
        } else if any(|conclusion| matches!(conclusion, Conclusion::Invalid(_))) {
            Self::Invalid
        } else if any(|conclusion| *conclusion == Conclusion::Failed) {
            Self::Failed
        } else if any(|conclusion| *conclusion == Conclusion::Passed) {
            Self::Passed
        } else {
            Self::Measured
        }
    }

    pub const fn is_complete(self) -> bool {
        !matches!(self, Self::Pending | Self::Partial { .. })
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pending => f.write_str("PENDING EXECUTION"),
            Self::Partial { ran, of } => write!(f, "PARTIAL ({ran} of {of})"),
            Self::Passed => f.write_str("COMPLETE: PASSED"),
            Self::Failed => f.write_str("COMPLETE: FAILED"),
            Self::Invalid => f.write_str("COMPLETE: INVALID"),
            Self::Quick => f.write_str("COMPLETE (QUICK PROFILE)"),
            Self::Measured => f.write_str("COMPLETE: MEASURED"),
        }
    }
}
