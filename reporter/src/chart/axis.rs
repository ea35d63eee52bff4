//! Scales and units, chosen once for a whole axis.

/// A little above the highest value, at one of the first two digits.
pub(super) fn top(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.fold(0.0, f64::max) * 1.04;
    if most <= 0.0 {
        return 1.0;
    }
    let step = 10_f64.powf(most.log10().floor()) / 2.0;
    (most / step).ceil() * step
}

/// A tick's label without meaningless decimals.
pub(super) fn tick(value: f64) -> String {
    let text = crate::units::grouped(value, 2);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Seconds or minutes, for a whole axis.
#[derive(Clone, Copy)]
pub(super) enum TimeUnit {
    Seconds,
    Minutes,
}

impl TimeUnit {
    pub(super) fn for_length(seconds: f64) -> Self {
        if seconds > 240.0 { Self::Minutes } else { Self::Seconds }
    }

    pub(super) fn scale(self, seconds: f64) -> f64 {
        match self {
            Self::Seconds => seconds,
            Self::Minutes => seconds / 60.0,
        }
    }

    pub(super) fn label(self, at: f64) -> String {
        match self {
            Self::Seconds => format!("{} s", tick(at)),
            Self::Minutes => format!("{} min", tick(at)),
        }
    }
}

/// Milliseconds or seconds, for a whole panel.
#[derive(Clone, Copy)]
pub(super) enum LatencyUnit {
    Milliseconds,
    Seconds,
}

impl LatencyUnit {
    pub(super) fn for_most(us: f64) -> Self {
        if us >= 5e6 { Self::Seconds } else { Self::Milliseconds }
    }

    pub(super) fn scale(self, us: f64) -> f64 {
        match self {
            Self::Milliseconds => us / 1e3,
            Self::Seconds => us / 1e6,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}
