//! Why a request cannot be made what a rule says.

use trace::wire;

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("rewrite {rule} of {file}, {key}: {reason}")]
    Expression { file: String, rule: usize, key: &'static str, reason: String },
    #[error("rewrite {rule} of {file}, {key}: it makes more than {} KiB", most >> 10)]
    TooLong { file: String, rule: usize, key: &'static str, most: usize },
    #[error(
        "a bound value was cut or changed by an expression; it can only be put elsewhere whole"
    )]
    CutMark,
    #[error("it has private characters (U+E000 to U+E002), which a rewrite uses itself")]
    Private,
    #[error("its bindings do not fit its text")]
    Bindings,
    #[error(transparent)]
    Unsendable(#[from] wire::Unsendable),
}
