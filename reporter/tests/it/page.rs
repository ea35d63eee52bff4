//! The report as a page: the same words as the Markdown, and nothing in it that runs but the page's
//! own two scripts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::report::Folder;
use crate::synthetic::Synthetic;

fn filled() -> Folder {
    let folder = Folder::new();
    let failing = Synthetic { one_fails_of: Some(50), ..Synthetic::of("01-baseline") };
    failing.write(folder.runs());
    folder.fill();
    folder
}

fn between<'a>(text: &'a str, open: &str, shut: &str) -> Vec<&'a str> {
    text.split(open).skip(1).map(|rest| rest.split(shut).next().unwrap()).collect()
}

#[test]
fn a_page_has_every_table_and_chart_of_the_report() {
    let folder = filled();
    let (text, page) = (folder.text(), folder.page());
    let tables = text.lines().filter(|line| line.starts_with("| ---")).count();
    assert_eq!(page.matches("<table>").count(), tables);
    let rows = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("| ---"));
    assert_eq!(page.matches("<tr>").count(), rows.count());
    let charts = text.matches("\n![").count();
    assert!(charts >= 9);
    assert_eq!(page.matches("\" data-chart=\"01-baseline-").count(), charts);
    assert_eq!(page.matches("<svg role=\"img\" aria-label=\"Baseline: ").count(), charts);
    // Each link of the contents leads somewhere.
    for target in between(&page, "<a href=\"#", "\"") {
        assert!(page.contains(&format!(" id=\"{target}\"")), "{target}");
    }
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

#[test]
fn the_values_of_charts_over_time_are_those_of_the_timeline() {
    let page = filled().page();
    let json = between(&page, "<script type=\"application/json\" id=\"series\">", "</script>");
    let series: serde_json::Value = serde_json::from_str(json[0]).unwrap();
    let users = &series["01-baseline-users.svg"];
    assert_eq!(users["group"], "baseline");
    assert_eq!(users["plateau"], serde_json::json!([2, 7]));
    let line = &users["panels"][0]["lines"][0];
    assert_eq!(users["panels"][0]["x"], serde_json::json!([1., 2., 3., 4., 5., 6., 7., 8.]));
    assert_eq!(line["y"], serde_json::json!([10., 20., 20., 20., 20., 20., 20., 0.]));
    for name in ["distribution", "heat"] {
        assert!(series.get(format!("01-baseline-{name}.svg")).is_none(), "{name}");
    }
}

#[test]
fn only_the_two_scripts_whose_digests_it_names_may_run_and_nothing_is_loaded() {
    let page = filled().page();
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"")[0];
    let scripts = between(&page, "<script>", "</script>");
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        let digest = STANDARD.encode(Sha256::digest(script.as_bytes()));
        assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe-eval"));
    for loading in [" src=", "<link", "<iframe", "<object", "@import", "url(http"] {
        assert!(!page.contains(loading), "{loading}");
    }
}

/// Ends whatever there is to end, and would run where it were not text.
const EVIL: &str = "</script><script>window.__xss=1</script><img src=x onerror=\"window.__xss=1\">\
    [a](javascript:alert(1))<svg onload=alert(1)>--><!-- ]]>";

#[test]
fn what_comes_from_the_network_is_text_in_the_page() {
    let mut folder = Folder::new();
    let failing = Synthetic { one_fails_of: Some(2), ..Synthetic::of("01-baseline") };
    let dir = failing.write(folder.runs());
    let edit = |name: &str, change: &dyn Fn(String) -> String| {
        let path = dir.join(name);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    };
    edit("run.json", &|text| {
        let mut run: serde_json::Value = serde_json::from_str(&text).unwrap();
        run["endpoints"][1] = format!("GET /{EVIL}").into();
        run["personas"][0]["name"] = EVIL.into();
        run["limitations"][0] = EVIL.into();
        run["labels"] = serde_json::json!({ EVIL: EVIL });
        run["host"]["cpu"] = EVIL.into();
        run["trace"]["file"] = EVIL.into();
        run["scenario"] = serde_json::Value::Null;
        run.to_string()
    });
    edit("failures.csv", &|text| {
        text.replace("HTTP 503", &format!("\"{}\"", EVIL.replace('"', "\"\"")))
    });
    edit("target.csv", &|text| {
        text.replace("postgres.connections.", "postgres.connections.<script>")
    });
    // The folder's name is the title of its charts.
    std::fs::rename(&dir, folder.runs().join("a<script>b\"c")).unwrap();
    (folder.config.template, folder.config.sources.scenarios) = (None, None);
    folder.fill();
    let page = folder.page();
    assert_eq!(page.matches("<script").count(), 3, "two that run, and the values");
    assert_eq!(page.matches("</script>").count(), 3);
    // As a browser reads tags: none with a handler, no image, no link to a script.
    for tag in between(&page, "<", ">") {
        let name = tag.split_whitespace().next().unwrap_or("");
        let is_element = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
        assert!(!is_element || !tag.contains("onerror"), "{tag}");
        assert!(!is_element || !tag.contains("onload"), "{tag}");
        assert!(name != "img" && !tag.contains("href=\"javascript"), "{tag}");
    }
    assert!(page.contains("&lt;img src=x onerror="));
}
