//! Parts of the report in files by hand.

use std::path::PathBuf;

use common::exit::Exit;

use crate::report::Folder;
use crate::synthetic::Synthetic;

const HAND: &str = "# Our service\r\n\n  By hand. <!-- report:none of these -->\n\n<!-- report:verdict -->\n<!-- /report -->\nBetween.\n<!-- report:results:baseline -->\nold text\n<!-- /report -->\n<!-- report:results:4 -->\n<!-- /report -->\n\nNo line end behind this";

fn with_file(text: &str) -> (Folder, PathBuf) {
    let mut folder = Folder::new();
    Synthetic::of("01-baseline").write(folder.runs());
    let path = folder.dir.path().join("docs").join("ours.md");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    folder.config.into = vec![path.clone()];
    (folder, path)
}

#[test]
fn places_are_filled_and_every_other_byte_stays() {
    let (folder, path) = with_file(HAND);
    let filled = folder.fill();
    assert_eq!(filled.into, std::slice::from_ref(&path));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Our service\r\n\n  By hand. <!-- report:none of these -->\n\n<!-- report:verdict -->\n> **"));
    assert!(text.ends_with("<!-- /report -->\n\nNo line end behind this"));
    assert!(
        text.contains("\n<!-- /report -->\nBetween.\n<!-- report:results:baseline -->\n| | |\n")
    );
    assert!(text.contains("<!-- report:results:4 -->\nStatus: **PENDING**\n<!-- /report -->"));
    assert!(text.contains("**Endpoints**") && !text.contains("old text"));
    // Charts are linked as seen from there.
    assert!(text.contains("](../report-charts/01-baseline-latency.svg)"), "{text}");
    assert!(folder.text().contains("](report-charts/01-baseline-latency.svg)"));

    folder.fill();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "filled twice");
}

#[test]
fn a_place_that_is_not_in_order_is_refused_before_anything_is_written() {
    for (text, line, expected) in [
        ("# Nothing\n", "", "has no place for a part of the report"),
        ("\n<!-- report:colour -->\n<!-- /report -->", " line 2: ", "no part \"colour\""),
        ("<!-- report:summary -->", " line 1: ", "no <!-- /report --> after it"),
        (
            "<!-- report:results:none -->\n<!-- /report -->",
            " line 1: ",
            "no scenario \"none\"; there are: baseline, alert-throughput",
        ),
    ] {
        let (folder, path) = with_file(text);
        let (message, error) = folder.fail();
        let place = format!("{}{line}", path.display());
        assert!(message.contains(&place) && message.contains(expected), "{message}");
        assert_eq!(error.exit(), Exit::Usage);
        assert!(!folder.config.out.exists());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
