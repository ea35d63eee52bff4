//! Time of the machine's processors, as `/proc/stat` counts it.

/// So far, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(super) busy: u64,
    pub(super) all: u64,
}

impl Ticks {
    /// Of all processors together, from the first line of `/proc/stat`.
    pub(crate) fn of_all(stat: &str) -> Option<Self> {
        Self::parse(stat.lines().next()?.strip_prefix("cpu ")?)
    }

    /// Of each.
    pub(super) fn of_each(stat: &str) -> Vec<Self> {
        let numbered = stat.lines().filter_map(|line| {
            let (number, ticks) = line.strip_prefix("cpu")?.split_once(' ')?;
            number.parse::<usize>().ok()?;
            Self::parse(ticks)
        });
        numbered.collect()
    }

    /// User, nice, system, idle, iowait, …: the fourth and fifth are idle, and guests, which come
    /// after the eighth, are within the first.
    fn parse(fields: &str) -> Option<Self> {
        let ticks: Vec<u64> =
            fields.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let all: u64 = ticks.iter().sum();
        Some(Self { busy: all - ticks.get(3)? - ticks.get(4)?, all })
    }

    /// How busy since then, as a share; none where no time has passed.
    pub(crate) fn busy_since(self, before: Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|ticks| *ticks > 0)?;
        Some(self.busy.saturating_sub(before.busy).min(all) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_of_the_whole_machine() {
        let of = Ticks::of_all;
        let before = of("cpu  10 0 10 60 20 0 0 0 0 0\ncpu0 1 2 3 4 5\n").unwrap();
        assert_eq!(before, Ticks { all: 100, busy: 20 });
        let now = of("cpu  60 0 10 90 40 0 0 0 0 0\n").unwrap();
        assert_eq!(now.busy_since(before), Some(0.5));
        assert_eq!(before.busy_since(before), None);
        for text in ["", "cpu", "cpu  1 2 3\n", "cpu  a b c d e\n"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
