//! Nothing secret is written, shown or kept, whatever way it is looked for.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::world::{Folder, PASSWORD, PERSONAS, Server, good, wait_for_lines};

/// The secret as it would look in a log: raw, escaped for JSON (also twice),
/// percent-encoded, in base64 at each alignment.
fn disguises(secret: &str) -> Vec<Vec<u8>> {
    let json = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let percent = |keep: &str| -> String {
        secret
            .bytes()
            .map(|b| match char::from(b) {
                c if c.is_ascii_alphanumeric() || keep.contains(c) => c.to_string(),
                _ => format!("%{b:02X}"),
            })
            .collect()
    };
    let mut found = vec![
        secret.to_owned(),
        json(secret),
        json(&json(secret)),
        percent(""),
        percent("-._~"),
        percent("-._~!"),
    ];
    for skipped in 0..3 {
        let padded = [&b"\0\0"[..skipped], secret.as_bytes()].concat();
        // Characters that share bits with what stands before or after say nothing.
        let (start, end) = ((skipped * 8).div_ceil(6), padded.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            found.push(encoded[start..end].to_owned());
        }
    }
    found.into_iter().map(String::into_bytes).collect()
}

pub(crate) fn assert_free_of(secrets: &[String], what: &str, content: &[u8]) {
    for secret in secrets {
        for disguise in disguises(secret) {
            let found = content.windows(disguise.len()).any(|window| window == disguise);
            assert!(!found, "{what} has {}", String::from_utf8_lossy(&disguise));
        }
    }
}

#[test]
fn the_search_finds_what_it_is_meant_to_find() {
    let planted = |text: String| {
        let secrets = [PASSWORD.to_owned()];
        std::panic::catch_unwind(|| assert_free_of(&secrets, "it", text.as_bytes())).is_err()
    };
    assert!(planted(format!("x{PASSWORD}x")));
    assert!(planted(serde_json::json!({"body": format!("{{\"p\":{:?}}}", PASSWORD)}).to_string()));
    for before in ["", "a", "ab"] {
        assert!(planted(STANDARD_NO_PAD.encode(format!("{before}{PASSWORD} and more"))));
    }
    assert!(!planted("Pass word".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_and_no_token_is_in_trace_journal_or_output() {
    let server = Server::start().await;
    let folder = Folder::new(PERSONAS);
    let mut recording = folder.personas(&server.url, &["--duration", "2s"]).spawn().unwrap();
    wait_for_lines(&mut recording, &folder.journal(), 50);
    let journal = std::fs::read(folder.journal()).unwrap();
    let output = recording.wait_with_output().unwrap();
    good(&output);

    let mut secrets = server.seen.tokens();
    assert_eq!(secrets.len(), 6, "an access and a refresh token for each of three users");
    secrets.push(PASSWORD.to_owned());
    let trace = std::fs::read(folder.trace()).unwrap();
    let plain = zstd::decode_all(trace.as_slice()).unwrap();
    assert!(
        plain.windows(7).any(|window| window == b"Bearer "),
        "there was something to leave out"
    );
    for (what, content) in [
        ("the journal", &journal),
        ("the trace", &trace),
        ("the trace, decompressed,", &plain),
        ("stdout", &output.stdout),
        ("stderr", &output.stderr),
    ] {
        assert_free_of(&secrets, what, content);
    }
}
