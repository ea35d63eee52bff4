//! A measured number.

/// In the unit of what was measured: microseconds, a share from 0 to 1, events a second, a count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// None where nothing was measured; finite otherwise.
    pub value: Option<f64>,
    /// The true value is this or more.
    pub at_least: bool,
}

impl Reading {
    pub const NONE: Self = Self { value: None, at_least: false };

    pub fn exact(value: f64) -> Self {
        Self { value: value.is_finite().then_some(value), at_least: false }
    }

    pub fn count(count: u64) -> Self {
        // Exact below 2^53, which no run reaches.
        Self::exact(count as f64)
    }

    /// `part` of `whole`; nothing where there is no whole.
    pub fn share(part: u64, whole: u64) -> Self {
        Self::exact(part as f64 / whole as f64)
    }

    /// `count` over `seconds`; nothing where no time passed.
    pub fn rate(count: u64, seconds: f64) -> Self {
        Self::exact(if seconds > 0.0 { count as f64 / seconds } else { f64::NAN })
    }
}

#[cfg(test)]
mod tests {
    use super::Reading;

    #[test]
    fn of_nothing_there_is_no_share_and_no_rate() {
        assert_eq!(Reading::share(0, 0), Reading::NONE);
        assert_eq!(Reading::rate(5, 0.0), Reading::NONE);
        assert_eq!(Reading::share(1, 4).value, Some(0.25));
        assert_eq!(Reading::rate(5, 2.0).value, Some(2.5));
    }
}
