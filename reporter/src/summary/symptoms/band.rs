//! A series, and what it was at first.

/// So many values have to be out of bounds, of one more: what is sampled once a second may be seen
/// in a moment that is none of it.
pub(super) const LASTS: u32 = 3;

/// Of fewer values nobody knows what is usual.
pub(super) const LEAST_SEEN: u64 = 3;

const MIB: f64 = 1_048_576.0;

/// How far a series may go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// Up to this much, which it may not have reached for most of the time at first.
    Reaches(f64),
    /// Up to the most that it was at first, as the load grows: it is out of bounds where it is
    /// `times` that, and `plus` beyond it. It began to leave when it was `near` beyond it.
    Grows { times: f64, plus: f64, near: f64 },
}

impl Limit {
    pub(super) const LATENCY_US: Self = Self::Grows { times: 3.0, plus: 50_000.0, near: 10_000.0 };
    /// Of what ended.
    pub(super) const FAILURES: Self = Self::Grows { times: 3.0, plus: 0.01, near: 0.0 };
    pub(super) const MEMORY: Self = Self::Grows { times: 1.5, plus: 32.0 * MIB, near: 4.0 * MIB };
    pub(super) const COUNT: Self = Self::Grows { times: 1.5, plus: 32.0, near: 8.0 };

    /// From where on a value is out of bounds, and from where on it is on its way there.
    fn bounds(self, usual: f64, load: f64) -> (f64, f64) {
        match self {
            Self::Reaches(limit) => (limit, limit),
            Self::Grows { times, plus, near } => {
                let usual = usual * load;
                ((usual * times).max(usual + plus), usual + near)
            }
        }
    }
}

/// What was seen of a series so far.
#[derive(Clone, Debug)]
pub(super) struct Band {
    limit: Limit,
    /// How many values it takes; fewer than [`LASTS`] have to be in a row.
    lasts: u32,
    /// The most of what was seen at first.
    usual: f64,
    /// What is told of it.
    usual_shown: f64,
    seen: u64,
    /// How many of those had reached what they may go up to.
    reached: u64,
    leaving: Option<u64>,
    /// Whether the last value was none on its way out, after one that was.
    is_back: bool,
    /// Which of the last values were out of bounds, a bit each.
    out: u64,
    /// When it began to leave, and what was told when it was sure.
    left: Option<(u64, f64)>,
}

impl Band {
    pub(super) fn new(limit: Limit, lasts: u32) -> Self {
        Self {
            limit,
            lasts,
            usual: f64::NEG_INFINITY,
            usual_shown: 0.0,
            seen: 0,
            reached: 0,
            leaving: None,
            is_back: false,
            out: 0,
            left: None,
        }
    }

    /// Takes a value. `load` is by how much the load has grown since the usual seconds.
    pub(super) fn see(&mut self, second: u64, value: f64, is_usual: bool, load: f64) {
        self.see_shown(second, value, value, is_usual, load);
    }

    /// The same, of a series of which something else is told.
    pub(super) fn see_shown(
        &mut self,
        second: u64,
        value: f64,
        shown: f64,
        is_usual: bool,
        load: f64,
    ) {
        if self.left.is_some() {
            return;
        }
        if is_usual {
            self.seen += 1;
            self.reached +=
                u64::from(matches!(self.limit, Limit::Reaches(limit) if value >= limit));
            self.usual = self.usual.max(value);
            self.usual_shown = self.usual_shown.max(shown);
            return;
        }
        if self.seen < LEAST_SEEN || 2 * self.reached > self.seen {
            return;
        }
        let (far, near) = self.limit.bounds(self.usual, load);
        let is_beyond = |bound: f64| match self.limit {
            Limit::Reaches(_) => value >= bound,
            Limit::Grows { .. } => value > bound,
        };
        let may_miss = self.lasts >= LASTS;
        let looked_at = (1 << (self.lasts + u32::from(may_miss))) - 1;
        let is_out = is_beyond(far);
        self.out = (self.out << 1 | u64::from(is_out)) & looked_at;
        if is_beyond(near) {
            let leaving = *self.leaving.get_or_insert(second);
            self.is_back = false;
            if is_out && self.out.count_ones() >= self.lasts {
                self.left = Some((leaving, shown));
            }
        } else if may_miss && self.leaving.is_some() && !self.is_back {
            self.is_back = true;
        } else {
            (self.leaving, self.is_back, self.out) = (None, false, 0);
        }
    }

    /// When it began to leave what it was, the most that it was at first, and what it was then.
    pub(super) fn left(&self) -> Option<(u64, f64, f64)> {
        self.left.map(|(second, then)| (second, self.usual_shown, then))
    }
}
