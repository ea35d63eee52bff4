//! The target's own page of metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http1::Destination;
use tokio::time::Instant;

use super::exporter::too_many;
use super::page::Page;
use super::prometheus::{Series, kept, parse};
use super::watch::{Figures, Source};

/// Where it is looked for.
pub(crate) const PATH: &str = "/metrics";

pub(super) const NAME: &str = "GET /metrics of the target";

/// What a target's metrics are called in a run, and what the metrics of its own begin with there.
const PREFIX: &str = "target";
const OWN: &str = "target_";

/// The requests that it counted, without those for this page.
const REQUESTS: &str = "requests_total";

/// What of a run has a meaning of its own.
const TAKEN: [&str; 3] = [REQUESTS, "cpu_percent", "rss_bytes"];

/// What counts requests in the pages of others, the best known first.
const COUNTERS: [&str; 7] = [
    "target_requests_total",
    "http_requests_total",
    "http_server_requests_total",
    "http_server_requests_seconds_count",
    "http_request_duration_seconds_count",
    "http_server_request_duration_seconds_count",
    "http_requests_received_total",
];

/// Processor time and memory, as client libraries call them.
const CPU_SECONDS: &str = "process_cpu_seconds_total";
const MEMORY_BYTES: &str = "process_resident_memory_bytes";

/// Asks a target for its metrics, where it has any.
pub(super) struct Target {
    page: Page,
    /// Whether it answered when it was first asked.
    gives_metrics: bool,
    has_been_asked: bool,
    /// Processor seconds and when they were read, for the share between two samples.
    cpu: Option<(f64, Instant)>,
    counts_page: CountsPage,
    most: usize,
}

/// Whether a count of requests has those for the page of metrics in it, which no load are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CountsPage {
    NotKnown,
    /// A label tells, or it does not count them.
    No,
    Yes,
}

/// What a page says of requests.
struct Requests {
    /// Without those for the page, where a label tells.
    count: f64,
    /// Whether a label says what was asked for.
    tells_paths: bool,
}

impl Target {
    /// Of the target at `destination`; `asked` counts the requests that this takes.
    pub(super) fn new(destination: Arc<Destination>, asked: Arc<AtomicU64>) -> Self {
        Self {
            page: Page::new(destination, PATH, asked),
            gives_metrics: true,
            has_been_asked: false,
            cpu: None,
            counts_page: CountsPage::NotKnown,
            most: 0,
        }
    }

    /// The requests that the target counted, less those for its metrics.
    async fn requests(&mut self, page: &BTreeMap<Series, f64>) -> Option<f64> {
        let Requests { count, tells_paths } = requests(page)?;
        if tells_paths {
            return Some(count);
        }
        if self.counts_page == CountsPage::NotKnown {
            // Nothing else is sent yet, so that a second look tells.
            let again = parse(&self.page.get().await?);
            let is_more = requests(&again)?.count > count;
            self.counts_page = if is_more { CountsPage::Yes } else { CountsPage::No };
            return Some(self.less_own(requests(&again)?.count));
        }
        Some(self.less_own(count))
    }

    fn less_own(&self, count: f64) -> f64 {
        match self.counts_page {
            CountsPage::Yes => count - self.page.asked() as f64,
            CountsPage::No | CountsPage::NotKnown => count,
        }
    }
}

impl Source for Target {
    async fn look(&mut self) -> Option<Figures> {
        if !self.gives_metrics {
            return None;
        }
        let is_first = !std::mem::replace(&mut self.has_been_asked, true);
        let Some(text) = self.page.get().await else {
            // A target without metrics is asked once; one that is overloaded, again.
            self.gives_metrics = !is_first;
            return None;
        };
        let mut page = parse(&text);
        let now = Instant::now();
        let plain = |name: &str| Series::new(name, []);
        let mut figures = Vec::new();
        let mut add = |name: &str, value| figures.push((format!("{PREFIX}.{name}"), value));
        if let Some(bytes) = page.remove(&plain(MEMORY_BYTES)) {
            add("rss_bytes", bytes);
        }
        if let Some(spent) = page.remove(&plain(CPU_SECONDS))
            && let Some((before, at)) = self.cpu.replace((spent, now))
            && now > at
        {
            add("cpu_percent", (spent - before) / (now - at).as_secs_f64() * 100.0);
        }
        if !page.contains_key(&plain(COUNTERS[0]))
            && let Some(count) = self.requests(&page).await
        {
            add(REQUESTS, count);
        }
        let (others, all) = kept(page, |series| {
            let name = series.to_string();
            let own = name.strip_prefix(OWN);
            // Whatever somebody else calls so is another thing.
            let is_taken = own.is_none() && TAKEN.contains(&name.as_str());
            (!is_taken).then(|| format!("{PREFIX}.{}", own.unwrap_or(&name)))
        });
        self.most = self.most.max(all);
        figures.extend(others);
        Some(figures)
    }

    fn limitations(&self) -> Vec<String> {
        too_many(NAME, self.most).into_iter().collect()
    }
}

/// The first of the known counters that the page has, added up over its labels.
fn requests(page: &BTreeMap<Series, f64>) -> Option<Requests> {
    COUNTERS.into_iter().find_map(|name| {
        let of_name: Vec<_> = page.iter().filter(|(series, _)| series.name == name).collect();
        let is = |series: &Series, wanted: fn(&str) -> bool| {
            series.labels.values().any(|value| wanted(value))
        };
        let tells_paths = of_name.iter().any(|(series, _)| is(series, |of| of.starts_with('/')));
        let others = of_name
            .iter()
            .filter(|(series, _)| !is(series, |value| value.trim_end_matches('/') == PATH));
        let count = others.map(|(_, value)| **value).sum();
        (!of_name.is_empty()).then_some(Requests { count, tells_paths })
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A target whose page is what this makes of how often it was asked for before.
    fn target(page: impl Fn(u64) -> String + Send + 'static) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut asked = 0;
            for stream in listener.incoming().flatten() {
                for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                    if line.is_empty() {
                        let text = page(asked);
                        asked += 1;
                        let head =
                            format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", text.len());
                        drop((&stream).write_all((head + &text).as_bytes()));
                    }
                }
            }
        });
        let destination = Destination::http("127.0.0.1", port, &[]).unwrap();
        Target::new(Arc::new(destination), Arc::default())
    }

    fn counted(figures: Option<Figures>) -> Option<f64> {
        let figures = figures.unwrap();
        figures.iter().find(|(name, _)| name == "target.requests_total").map(|(_, count)| *count)
    }

    #[tokio::test]
    async fn a_count_by_labels_serves_where_there_is_no_plain_one() {
        type Show = fn(u64) -> String;
        let cases: [(Show, Option<f64>); 6] = [
            // Its own count, which leaves its observers out.
            (|_| "target_requests_total 7\nhttp_requests_total 99\n".into(), Some(7.0)),
            (
                |n| {
                    format!(
                        "http_requests_total{{path=\"/a\",status=\"200\"}} 5\n\
                         http_requests_total{{path=\"/a\",status=\"500\"}} 2\n\
                         http_requests_total{{path=\"/metrics\",status=\"200\"}} {n}\n"
                    )
                },
                Some(7.0),
            ),
            // No label tells, and the page counts itself: each look is one of it.
            (|n| format!("http_requests_total{{status=\"200\"}} {}\n", 10 + n), Some(9.0)),
            // As one that counts a request when it comes.
            (|n| format!("http_requests_total{{status=\"200\"}} {}\n", 11 + n), Some(10.0)),
            (|n| format!("http_requests_total{{a=\"b\"}} 4\nother {n}\n"), Some(4.0)),
            (|_| "other_total{path=\"/a\"} 4\n".into(), None),
        ];
        for (page, expected) in cases {
            let mut target = target(page);
            let first = counted(target.look().await);
            assert_eq!(first, expected, "{}", page(0));
            // Nothing was sent meanwhile.
            assert_eq!(counted(target.look().await), first);
        }
    }

    #[tokio::test]
    async fn metrics_keep_their_labels() {
        let mut target = target(|_| {
            "cpu_percent 1\ntarget_queue 3\nup{job=\"a\"} 1\nprocess_resident_memory_bytes 9\n"
                .to_owned()
        });
        let figures = target.look().await.unwrap();
        let expected =
            [("target.rss_bytes", 9.0), ("target.queue", 3.0), ("target.up{job=\"a\"}", 1.0)];
        assert_eq!(figures, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
