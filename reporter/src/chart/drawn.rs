//! A chart before it has a file.

use super::series::Series;

pub(super) struct Drawn {
    pub title: String,
    pub svg: String,
    /// Of a chart over time.
    pub series: Option<Series>,
}
