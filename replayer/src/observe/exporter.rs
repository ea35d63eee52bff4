//! Whatever shows its metrics as Prometheus text: an exporter, a proxy, another service.

use std::sync::Arc;

use http1::Destination;

use super::page::Page;
use super::prometheus::{MOST_SERIES, kept, parse};
use super::watch::{Figures, Source};

/// A page of metrics of somebody.
pub(super) struct Exporter {
    page: Page,
    /// What its metrics begin with.
    prefix: String,
    name: String,
    /// The most series that it had.
    most: usize,
}

impl Exporter {
    pub(super) fn new(
        destination: Arc<Destination>,
        path: &str,
        prefix: String,
        name: String,
    ) -> Self {
        let page = Page::new(destination, path, Arc::default());
        Self { page, prefix, name, most: 0 }
    }
}

impl Source for Exporter {
    async fn look(&mut self) -> Option<Figures> {
        let text = self.page.get().await?;
        let prefix = &self.prefix;
        let (figures, all) = kept(parse(&text), |series| Some(format!("{prefix}.{series}")));
        self.most = self.most.max(all);
        (!figures.is_empty()).then_some(figures)
    }

    fn limitations(&self) -> Vec<String> {
        too_many(&self.name, self.most).into_iter().collect()
    }
}

/// Told where not all of a page is kept.
pub(super) fn too_many(name: &str, all: usize) -> Option<String> {
    (all > MOST_SERIES)
        .then(|| format!("{name} has {all} series, and {MOST_SERIES} of them are kept"))
}
