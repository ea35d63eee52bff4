//! Light and dark: a chart is drawn in the colours of light paper, and says itself what each of them
//! becomes on dark.

use std::fmt::Write as _;

use common::shown;
use minijinja::HtmlEscape;

/// What plotters writes, and what stands for it on dark paper.
const ON_DARK: [(&str, &str); 10] = [
    ("FFFFFF", "0d1117"),
    ("1F2328", "e6edf3"),
    ("59636E", "9198a1"),
    ("A0A7AF", "4b535d"),
    ("E5E8EC", "262c34"),
    ("0072B2", "4fb0ee"),
    ("D55E00", "ff8a4c"),
    ("009E73", "2fc796"),
    ("CC79A7", "e59ac6"),
    ("787E86", "8b949e"),
];

/// The picture with its name for those who do not see it, and its colours for dark paper.
pub(super) fn dressed(svg: &str, title: &str) -> String {
    let mut style = String::from("<style>@media screen and (prefers-color-scheme: dark) {");
    for (light, dark) in ON_DARK {
        for what in ["fill", "stroke"] {
            // Nothing fails to be written into a string.
            let _ = write!(style, "svg [{what}=\"#{light}\"]{{{what}:#{dark}}}");
        }
    }
    style.push_str("}</style>");
    let title = shown::line(title);
    let head = format!("<svg role=\"img\" aria-label=\"{}\" ", HtmlEscape(&title));
    let svg = svg.replacen("<svg ", &head, 1);
    match svg.find('>') {
        Some(end) => format!("{}\n{style}{}", &svg[..=end], &svg[end + 1..]),
        None => svg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_ends_no_attribute() {
        let svg = dressed("<svg width=\"1\">\n</svg>", "a \"b\" <script>");
        let label = "<svg role=\"img\" aria-label=\"a &quot;b&quot; &lt;script&gt;\" width=\"1\">";
        assert!(svg.starts_with(label), "{svg}");
        assert!(svg.contains("prefers-color-scheme: dark") && svg.ends_with("</svg>"));
    }
}
