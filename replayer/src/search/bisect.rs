//! Which level is tried next, and when it is known enough.
//!
//! Upwards by doubling until something is missed, then by the geometric mean between the highest
//! level that held and the lowest that did not, until these two are near enough; then each of the
//! two is tried once more. What a second look contradicts is tried a third time, and the majority
//! counts, so that one blip does not decide.

use serde::Serialize;

use super::level::Axis;

/// Where is searched, and how closely.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub from: f64,
    pub to: f64,
    /// The answer's width that is good enough, as a share of its lower end.
    pub within: f64,
}

impl Bounds {
    /// The most probes that are made: those of a search in which nothing contradicts itself, and
    /// as many again as a few contradictions take.
    pub fn most_probes(&self) -> usize {
        /// For levels that were tried three times, and the narrowing after it.
        const SPARE: usize = 8;
        let doublings = (self.to / self.from).log2().ceil().max(0.0) as usize;
        let halvings = (2_f64.ln() / self.within.ln_1p()).log2().ceil().max(0.0) as usize;
        1 + doublings + halvings + 2 + SPARE
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Probe(f64),
    Done(Answer),
}

/// The highest level that held, and the lowest above it that did not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// None where not even the lowest that was tried held.
    pub held: Option<f64>,
    /// None where the highest that was to be tried held.
    pub missed: Option<f64>,
    /// Whether both were tried twice, and are as near as was asked for.
    pub is_confirmed: bool,
}

/// A search under way.
pub struct Search {
    bounds: Bounds,
    by: Axis,
    /// Level, and whether it held, in the order of the probes.
    probes: Vec<(f64, bool)>,
    left: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Held,
    Missed,
    /// As often the one as the other.
    Split,
}

impl Search {
    /// A search by levels of `by`, of `most` probes.
    pub fn new(bounds: Bounds, by: Axis, most: usize) -> Self {
        Self { bounds, by, probes: Vec::new(), left: most }
    }

    /// Takes in what a probe came to.
    pub fn note(&mut self, level: f64, held: bool) {
        self.probes.push((level, held));
        self.left = self.left.saturating_sub(1);
    }

    /// What is to be done.
    pub fn what_next(&self) -> Next {
        let wanted = self.wanted();
        match wanted {
            Some(level) if self.left > 0 => Next::Probe(level),
            wanted => Next::Done(self.answer(wanted.is_none())),
        }
    }

    /// The level that tells most; none where nothing more is to be known.
    fn wanted(&self) -> Option<f64> {
        if let Some((level, _)) = self.levels().find(|(_, standing)| *standing == Standing::Split) {
            return Some(level);
        }
        match (self.held(), self.missed()) {
            (None, None) => Some(self.by.nearest(self.bounds.from)),
            (None, Some(missed)) => self.again(missed),
            (Some(held), None) => {
                let top = self.by.nearest(self.bounds.to);
                let next = self.by.nearest((held * 2.0).min(self.bounds.to));
                if held < top && next > held { Some(next) } else { self.again(held) }
            }
            (Some(held), Some(missed)) => {
                let between = self.by.nearest((held * missed).sqrt());
                let is_wide = missed / held - 1.0 > self.bounds.within;
                if is_wide && held < between && between < missed {
                    return Some(between);
                }
                self.again(held).or_else(|| self.again(missed))
            }
        }
    }

    /// A level that was tried once only.
    fn again(&self, level: f64) -> Option<f64> {
        let times = self.probes.iter().filter(|(of, _)| *of == level).count();
        (times < 2).then_some(level)
    }

    /// The lowest level that did not hold.
    fn missed(&self) -> Option<f64> {
        let missed = self.levels().filter(|(_, standing)| *standing == Standing::Missed);
        missed.map(|(level, _)| level).reduce(f64::min)
    }

    /// The highest level that held, of those below the lowest that did not.
    fn held(&self) -> Option<f64> {
        let below = self.missed().unwrap_or(f64::INFINITY);
        let held = self.levels().filter(|(_, standing)| *standing == Standing::Held);
        held.map(|(level, _)| level).filter(|level| *level < below).reduce(f64::max)
    }

    /// Each level that was tried, and how it stands by the majority of its probes.
    fn levels(&self) -> impl Iterator<Item = (f64, Standing)> {
        let first = move |(index, (level, _)): &(usize, &(f64, bool))| {
            self.probes[..*index].iter().all(|(other, _)| other != level)
        };
        self.probes.iter().enumerate().filter(first).map(move |(_, (level, _))| {
            let of_level = self.probes.iter().filter(|(other, _)| other == level);
            let balance: i32 = of_level.map(|(_, held)| if *held { 1 } else { -1 }).sum();
            let standing = match balance {
                0 => Standing::Split,
                1.. => Standing::Held,
                _ => Standing::Missed,
            };
            (*level, standing)
        })
    }

    /// What is known by now.
    pub fn answer_so_far(&self) -> Answer {
        self.answer(false)
    }

    fn answer(&self, is_confirmed: bool) -> Answer {
        Answer { held: self.held(), missed: self.missed(), is_confirmed }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { from: 100.0, to: 6400.0, within: 0.05 };

    /// The answer, and the levels that were tried.
    fn search(bounds: Bounds, held: impl Fn(usize, f64) -> bool) -> (Answer, Vec<f64>) {
        let mut search = Search::new(bounds, Axis::Users, bounds.most_probes());
        loop {
            match search.what_next() {
                Next::Done(answer) => {
                    return (answer, search.probes.iter().map(|(level, _)| *level).collect());
                }
                Next::Probe(level) => {
                    let number = search.probes.len();
                    search.note(level, held(number, level));
                }
            }
        }
    }

    #[test]
    fn what_holds_nowhere_or_everywhere_is_tried_twice_and_told() {
        let (answer, tried) = search(BOUNDS, |_, _| false);
        assert_eq!((answer.held, answer.missed, tried), (None, Some(100.0), vec![100.0; 2]));
        let (answer, tried) = search(BOUNDS, |_, _| true);
        assert_eq!((answer.held, answer.missed), (Some(6400.0), None));
        assert!(answer.is_confirmed);
        assert_eq!(tried, [100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 6400.0]);
    }

    #[test]
    fn one_blip_does_not_decide() {
        // The fourth probe, at 800, is missed by chance; its second look at the end says so.
        let (answer, tried) = search(BOUNDS, |number, level| number != 3 && level <= 2000.0);
        let (held, missed) = (answer.held.unwrap(), answer.missed.unwrap());
        assert!(held <= 2000.0 && 2000.0 < missed && answer.is_confirmed, "{answer:?} {tried:?}");
        assert_eq!(tried.iter().filter(|level| **level == 800.0).count(), 3);
    }

    #[test]
    fn neighbours_of_a_coarse_grid_are_the_answer() {
        let coarse = Bounds { from: 1.0, to: 9.0, within: 0.05 };
        let (answer, _) = search(coarse, |_, level| level <= 5.0);
        assert_eq!((answer.held, answer.missed), (Some(5.0), Some(6.0)));
    }

    proptest! {
        #[test]
        fn a_sharp_boundary_is_found_as_closely_as_asked_for_within_the_bound(
            truth in 100.0..6399.0_f64, percent in 1_u32..20,
        ) {
            let bounds = Bounds { within: f64::from(percent) / 100.0, ..BOUNDS };
            let (answer, tried) = search(bounds, |_, level| level <= truth);
            let (held, missed) = (answer.held.unwrap(), answer.missed.unwrap());
            prop_assert!(held <= truth && truth < missed, "{answer:?}");
            prop_assert!(answer.is_confirmed);
            let is_narrow = missed / held - 1.0 <= bounds.within || missed - held <= 1.0;
            prop_assert!(is_narrow, "{held} to {missed}");
            prop_assert!(tried.len() <= bounds.most_probes() - 8, "{tried:?}");
        }
    }
}
