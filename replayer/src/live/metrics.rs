//! What is shown, for Prometheus: counters and classic histograms, of which it makes rates and
//! percentiles itself.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::snapshot::{Snapshot, State};

/// Upper bounds of the buckets, in microseconds.
const BOUNDS_US: [u64; 15] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    OpenMetrics,
    /// Prometheus's text format, which came before it.
    Text,
}

impl Form {
    /// As a request's `Accept` asks for it.
    pub(super) fn accepted(accept: &str) -> Self {
        let older =
            accept.contains("text/plain") && !accept.contains("application/openmetrics-text");
        if older { Self::Text } else { Self::OpenMetrics }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

struct Page {
    form: Form,
    text: String,
}

impl Page {
    /// A family; a counter's samples have `_total` behind its name.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let suffix = if kind == "counter" && self.form == Form::Text { "_total" } else { "" };
        // Into memory, which takes all of it.
        let _ = writeln!(self.text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let escaped =
            |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn buckets(&mut self, name: &str, endpoint: &str, times: &Histogram<u64>) {
        let mut steps = times.iter_recorded().peekable();
        let mut below = 0;
        for bound in BOUNDS_US {
            while let Some(step) = steps.next_if(|step| step.value_iterated_to() <= bound) {
                below += step.count_at_value();
            }
            let le = (bound as f64 / 1e6).to_string();
            // A bound is a float in OpenMetrics, whatever its value.
            let le = if le.contains('.') { le } else { format!("{le}.0") };
            let labels = [("endpoint", endpoint), ("le", &le)];
            self.sample(&format!("{name}_bucket"), &labels, below as f64);
        }
        let all = times.len() as f64;
        self.sample(&format!("{name}_bucket"), &[("endpoint", endpoint), ("le", "+Inf")], all);
        self.sample(&format!("{name}_sum"), &[("endpoint", endpoint)], times.mean() * all / 1e6);
        self.sample(&format!("{name}_count"), &[("endpoint", endpoint)], all);
    }
}

pub(super) fn page(of: &Snapshot, form: Form) -> String {
    let mut page = Page { form, text: String::new() };
    let now = &of.now;
    if let Some((name, target)) = of.target() {
        page.family("replayer_run_info", "gauge", "What is run, and where to.");
        page.sample("replayer_run_info", &[("run", name), ("target", target)], 1.0);
    }
    let is_running = matches!(now.state, State::Running | State::Stopping);
    page.gauge(
        "replayer_run_under_way",
        "Whether a run is under way.",
        f64::from(u8::from(is_running)),
    );
    let is_valid = f64::from(u8::from(of.is_valid()));
    page.gauge("replayer_run_valid", "Whether what was measured so far is the target.", is_valid);

    page.family("replayer_requests", "counter", "Planned requests that ended, of the whole run.");
    for (endpoint, figures) in of.endpoints() {
        let succeeded = figures.requests - figures.failed;
        for (result, count) in [("succeeded", succeeded), ("failed", figures.failed)] {
            let labels = [("endpoint", endpoint), ("result", result)];
            page.sample("replayer_requests_total", &labels, count as f64);
        }
    }
    page.family(
        "replayer_outcomes",
        "counter",
        "Planned requests that ended, by what became of them.",
    );
    for (outcome, count) in of.outcomes.iter() {
        page.sample("replayer_outcomes_total", &[("outcome", outcome.column())], count as f64);
    }
    page.family("replayer_requests_sent", "counter", "Planned requests of which a byte was sent.");
    page.sample("replayer_requests_sent_total", &[], now.sent as f64);

    let name = "replayer_response_time_seconds";
    page.family(name, "histogram", "Response times, those of failures among them.");
    for (endpoint, figures) in of.endpoints() {
        page.buckets(name, endpoint, &figures.responses);
    }

    page.gauge("replayer_users", "Users that are there.", now.users as f64);
    page.gauge("replayer_requests_in_flight", "Requests under way.", now.in_flight as f64);
    let cores = now.cpu_percent / 100.0;
    page.gauge("replayer_processor_cores", "Processors that the replayer keeps busy.", cores);
    page.gauge("replayer_memory_bytes", "Resident memory of the replayer.", now.rss_bytes as f64);
    if form == Form::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_form_is_for_who_takes_it_and_who_does_not_say() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                          version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Form::accepted(prometheus), Form::OpenMetrics);
        assert_eq!(Form::accepted(""), Form::OpenMetrics);
        assert_eq!(Form::accepted("text/plain"), Form::Text);
    }

    #[test]
    fn buckets_add_up_and_labels_are_escaped() {
        let mut times = figures::histogram();
        for us in [500, 1_000, 40_000, 100_000_000] {
            times.record(us).unwrap();
        }
        let mut page = Page { form: Form::OpenMetrics, text: String::new() };
        page.buckets("t", "GET /\"\\\n", &times);
        let of = |le: &str| {
            let line = format!("t_bucket{{endpoint=\"GET /\\\"\\\\\\n\",le=\"{le}\"}} ");
            let found = page.text.lines().find_map(|text| text.strip_prefix(&line));
            found.unwrap_or_else(|| panic!("{line}: {}", page.text)).to_owned()
        };
        assert_eq!(
            [of("0.001"), of("0.025"), of("1.0"), of("60.0"), of("+Inf")],
            ["2", "2", "3", "3", "4"]
        );
    }
}
