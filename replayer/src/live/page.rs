//! The page itself: files that are served as they are, from here and from nowhere else.

use axum::http::{HeaderName, HeaderValue, header};

pub(super) struct File {
    pub path: &'static str,
    pub kind: &'static str,
    pub text: &'static str,
}

const fn file(path: &'static str, kind: &'static str, text: &'static str) -> File {
    File { path, kind, text }
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

pub(super) const FILES: [File; 5] = [
    file("/", "text/html; charset=utf-8", include_str!("../../page/live.html")),
    file("/live.css", CSS, include_str!("../../page/live.css")),
    file("/live.js", JS, include_str!("../../page/live.js")),
    file("/uplot.css", CSS, include_str!("../../../common/uplot/uPlot.min.css")),
    file("/uplot.js", JS, include_str!("../../../common/uplot/uPlot.iife.min.js")),
];

/// What every answer says to a browser: run no script but those files, ask no other host, be in no
/// frame, tell nobody, keep nothing.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];
