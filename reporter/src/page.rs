//! The report as a page: one file that needs no network, made from the Markdown that was filled, so
//! that both say the same.
//!
//! It is readable without scripts. With them tables sort and filter, and charts show their values
//! (`reporter/page`). Nothing of the report is markup or code of the page: what Markdown calls HTML
//! is text, links lead to the web or into the page, and only the page's own two scripts may run.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, HtmlEscape, Value};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::chart::{Chart, Series};
use crate::render::TemplateError;

const PAGE: &str = include_str!("../page/page.html.j2");
const STYLE: [&str; 2] =
    [include_str!("../../common/uplot/uPlot.min.css"), include_str!("../page/page.css")];
const SCRIPTS: [&str; 2] =
    [include_str!("../../common/uplot/uPlot.iife.min.js"), include_str!("../page/page.js")];

/// The section that is worth finding one's way in.
const LONG: &str = "results";

/// What is called by its file in the report's links.
pub struct Drawn<'a> {
    /// As the Markdown links it.
    pub link: String,
    /// Charts of one run have one; they are looked at together.
    pub group: &'a str,
    pub chart: &'a Chart,
}

/// A chart's values, with what it belongs to.
#[derive(Serialize)]
struct Grouped<'a> {
    group: &'a str,
    #[serde(flatten)]
    series: &'a Series,
}

struct Heading {
    id: String,
    text: String,
    level: u8,
}

/// Turns a filled report into a page.
///
/// # Errors
/// When the page's own template has an error, which would be a bug in this crate.
pub fn page(markdown: &str, charts: &[Drawn<'_>]) -> Result<String, TemplateError> {
    let mut options = Options::empty();
    options.insert(Options::ENABLE_TABLES);
    options.insert(Options::ENABLE_STRIKETHROUGH);
    let mut made =
        Made { charts, headings: Vec::new(), ids: BTreeMap::new(), region: String::new() };
    let events = made.all(Parser::new_ext(markdown, options));
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events.into_iter());

    let series: BTreeMap<&str, Grouped<'_>> = charts
        .iter()
        .filter_map(|drawn| {
            let series = drawn.chart.series.as_ref()?;
            Some((drawn.chart.file.as_str(), Grouped { group: drawn.group, series }))
        })
        .collect();
    let title = made.headings.iter().find(|heading| heading.level == 1);
    let title = title.map_or("Load test report", |heading| heading.text.as_str()).to_owned();
    let contents = contents(&made.headings);
    let safe = |text: &str| Value::from_safe_string(text.to_owned());
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
        .render_str(
            PAGE,
            minijinja::context! {
                title => title,
                contents => contents,
                style => safe(&STYLE.concat()),
                hashes => safe(&SCRIPTS.map(hash).join(" ")),
                body => safe(&body),
                series => safe(&embedded(&series)),
                scripts => SCRIPTS.map(safe).into_iter().collect::<Value>(),
            },
        )
        .map_err(|error| TemplateError::of(&error))
}

/// Headings of the second level, with those of the third below the one that is as long as all others.
fn contents(headings: &[Heading]) -> Value {
    let entry = |of: &Heading, below: Value| {
        minijinja::context! { id => of.id.as_str(), text => of.text.as_str(), below => below }
    };
    let second = headings.iter().enumerate().filter(|(_, heading)| heading.level == 2);
    second
        .map(|(at, of)| {
            let below = headings[at + 1..].iter().take_while(|heading| heading.level > 2);
            let below = below.filter(|heading| of.id == LONG && heading.level == 3);
            entry(of, below.map(|of| entry(of, Value::from(()))).collect())
        })
        .collect()
}

/// As a content security policy names a script that may run.
fn hash(script: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script.as_bytes())))
}

/// JSON in a script element, which nothing in it can end.
fn embedded(series: &impl Serialize) -> String {
    // Numbers and strings: nothing that JSON lacks.
    let json = serde_json::to_string(series).unwrap_or_default();
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The events of the page while they are made.
struct Made<'a> {
    charts: &'a [Drawn<'a>],
    headings: Vec<Heading>,
    /// How often an id was wanted.
    ids: BTreeMap<String, usize>,
    /// What a table is called that follows.
    region: String,
}

impl<'a> Made<'a> {
    fn all(&mut self, parser: Parser<'a>) -> Vec<Event<'a>> {
        let mut out = Vec::new();
        let mut events = parser.peekable();
        // Images whose place is taken by a chart, and links that lead nowhere.
        let mut dropped = 0_usize;
        while let Some(event) = events.next() {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    let mut inner = Vec::new();
                    for event in events.by_ref() {
                        if matches!(event, Event::End(TagEnd::Heading(_))) {
                            break;
                        }
                        inner.push(event);
                    }
                    self.heading(level, inner, &mut out);
                }
                Event::Start(Tag::Table(alignments)) => {
                    let label = HtmlEscape(&self.region);
                    let open = format!(
                        "<div class=\"table\" role=\"group\" tabindex=\"0\" aria-label=\"{label}\">"
                    );
                    out.push(Event::Html(open.into()));
                    out.push(Event::Start(Tag::Table(alignments)));
                }
                Event::End(TagEnd::Table) => {
                    out.push(Event::End(TagEnd::Table));
                    out.push(Event::Html("</div>\n".into()));
                }
                Event::Start(Tag::Image { dest_url, .. }) => {
                    let mut alt = Vec::new();
                    for event in events.by_ref() {
                        if matches!(event, Event::End(TagEnd::Image)) {
                            break;
                        }
                        alt.push(event);
                    }
                    match self.charts.iter().find(|drawn| drawn.link == *dest_url) {
                        Some(drawn) => out.push(Event::Html(figure(drawn).into())),
                        None => out.extend(alt.into_iter().map(text_only)),
                    }
                }
                Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                    let drawn = self.charts.iter().find(|drawn| drawn.link == *dest_url);
                    // A chart is in the page itself.
                    let dest_url = match drawn {
                        Some(drawn) => format!("#{}", drawn.chart.file).into(),
                        None => dest_url,
                    };
                    if leads_somewhere(&dest_url) {
                        out.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                    } else {
                        dropped += 1;
                    }
                }
                Event::End(TagEnd::Link) if dropped > 0 => dropped -= 1,
                Event::Start(Tag::Strong) => {
                    if let Some(Event::Text(text)) = events.peek() {
                        self.region = text.to_string();
                    }
                    out.push(Event::Start(Tag::Strong));
                }
                Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
                other => out.push(text_only(other)),
            }
        }
        out
    }

    fn heading(&mut self, level: HeadingLevel, inner: Vec<Event<'a>>, out: &mut Vec<Event<'a>>) {
        let text: String = inner
            .iter()
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let id = self.id(&text);
        let level = level as u8;
        out.push(Event::Html(format!("<h{level} id=\"{id}\">").into()));
        out.extend(inner.into_iter().map(text_only));
        out.push(Event::Html(format!("</h{level}>\n").into()));
        self.region.clone_from(&text);
        self.headings.push(Heading { id, text, level });
    }

    /// As Markdown is linked into: small letters, digits, `-` and `_`, and a number where it is taken.
    fn id(&mut self, text: &str) -> String {
        let plain: String = text
            .to_lowercase()
            .chars()
            .filter_map(|character| match character {
                ' ' => Some('-'),
                '-' | '_' => Some(character),
                _ => character.is_alphanumeric().then_some(character),
            })
            .collect();
        let taken = self.ids.entry(plain.clone()).or_default();
        *taken += 1;
        if *taken == 1 { plain } else { format!("{plain}-{}", *taken - 1) }
    }
}

/// What Markdown calls HTML is text; comments are not shown.
fn text_only(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => {
            let is_comment = html.trim_start().starts_with("<!--");
            Event::Text(if is_comment { CowStr::Borrowed("") } else { html })
        }
        other => other,
    }
}

/// Into the page, or to the web.
fn leads_somewhere(url: &str) -> bool {
    ["#", "http://", "https://", "mailto:"].iter().any(|start| url.starts_with(start))
}

fn figure(drawn: &Drawn<'_>) -> String {
    let Chart { file, svg, .. } = drawn.chart;
    let file = HtmlEscape(file);
    format!("<figure class=\"chart\" id=\"{file}\" data-chart=\"{file}\">{svg}</figure>")
}
