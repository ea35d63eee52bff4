//! Exit codes: the interface of all four tools to scripts.

use std::process::ExitCode;

use crate::shown;

/// How a tool ended. The numbers are documented in README.md and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Good,
    /// An internal fault or an I/O error.
    Internal,
    /// Usage or configuration: an option, a file's content.
    Usage,
    /// Refused for safety.
    Refused,
    /// The environment: something unreachable, a login refused.
    Environment,
    /// A threshold failed.
    Threshold,
    /// Fidelity is under what was asked for.
    Fidelity,
    /// The run measured the generator, not the target.
    Invalid,
    /// The input or the run is incomplete.
    Incomplete,
    /// Ended by SIGINT, with what was measured written.
    Interrupted,
    /// Ended by SIGTERM, with what was measured written.
    Terminated,
}

impl Exit {
    const ALL: [Self; 11] = [
        Self::Good,
        Self::Internal,
        Self::Usage,
        Self::Refused,
        Self::Environment,
        Self::Threshold,
        Self::Fidelity,
        Self::Invalid,
        Self::Incomplete,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What a process exit code says, if it is one of these.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// The process exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Environment => 4,
            Self::Threshold => 10,
            Self::Fidelity => 11,
            Self::Invalid => 12,
            Self::Incomplete => 13,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Of two that both apply, the one to exit with:
    /// 130/143, 1, 12, 13, 11, 10, and any other error before a good end.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.rank() <= other.rank() { self } else { other }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Interrupted | Self::Terminated => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Environment => 4,
            Self::Invalid => 5,
            Self::Incomplete => 6,
            Self::Fidelity => 7,
            Self::Threshold => 8,
            Self::Good => 9,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The most characters of an error's line; what it quotes may be a file's longest name.
const LONGEST_LINE: usize = 2000;

/// Writes an error and its causes as one line: `tool: error: cause: cause`. Of a very long one
/// the middle is left out.
pub fn one_line(tool: &str, error: &dyn std::error::Error) -> String {
    let mut line = format!("{tool}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    shown::shortened(&shown::line(&line), LONGEST_LINE).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn a_line_is_never_longer_than_anybody_reads() {
        let error = std::io::Error::other(format!("{}\n says what is right", "ü".repeat(1 << 20)));
        let line = super::one_line("tool", &error);
        assert!(line.starts_with("tool: ü") && line.ends_with(" says what is right"), "{line}");
        assert_eq!(line.chars().count(), 2001);
    }

    #[test]
    fn a_code_is_that_of_one_end() {
        let codes: Vec<u8> = (0..=255).filter(|code| Exit::of_code(*code).is_some()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 10, 11, 12, 13, 130, 143]);
        assert!(Exit::ALL.iter().all(|exit| Exit::of_code(exit.code()) == Some(*exit)));
    }

    #[test]
    fn a_signal_is_told_before_anything_else_and_a_threshold_last() {
        assert_eq!(Exit::Threshold.or(Exit::Interrupted), Exit::Interrupted);
        assert_eq!(Exit::Threshold.or(Exit::Invalid), Exit::Invalid);
        assert_eq!(Exit::Invalid.or(Exit::Internal), Exit::Internal);
        assert_eq!(Exit::Fidelity.or(Exit::Incomplete), Exit::Incomplete);
        assert_eq!(Exit::Threshold.or(Exit::Good), Exit::Threshold);
    }
}
