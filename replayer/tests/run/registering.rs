//! A recording of somebody who registers and works on what is his own, replayed by several at once
//! on data that nobody puts back: each is somebody else, and each works on his own.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Answer, Asked, Server, TraceBuilder, Workplace};

/// Refuses what is there twice, and everybody what is not his.
#[derive(Default)]
struct Site {
    /// Addresses by names.
    users: HashMap<String, String>,
    /// By slug: whose, with the numbers of its comments and whose these are.
    articles: HashMap<String, (String, Vec<(u64, String)>)>,
    notes: Vec<String>,
    pins: Vec<String>,
    comments: u64,
    removed: [usize; 3],
    refused: Vec<String>,
}

fn raw(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n");
    Answer::RawThenClose(format!("{head}{headers}\r\n\r\n{body}").into_bytes())
}

fn page(body: &str) -> Answer {
    raw(200, "Content-Type: text/html", body)
}

fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl Site {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let before = format!("{} {}", asked.path, asked.body);
        match self.answered(asked) {
            Some(answer) => answer,
            None => {
                self.refused.push(before);
                Answer::Json(422, "{}".into())
            }
        }
    }

    /// None where it is refused.
    fn answered(&mut self, asked: &Asked) -> Option<Answer> {
        let json: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let path = asked.path.split('?').next().unwrap_or_default();
        let is_json = !json.is_null();
        let is_form = !is_json && !asked.body.is_empty();
        if path == "/api/users" {
            return self.register(&json["user"]);
        }
        let token = asked.header("authorization")?.strip_prefix("Token token-of-")?;
        let me = token.strip_suffix("-1234567")?.to_owned();
        self.users.get(&me)?;
        let mine = |of: &str| (of == me).then_some(());
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        Some(match parts.as_slice() {
            ["api", "articles"] if is_json => {
                let title = json["article"]["title"].as_str()?;
                let slug = title.to_lowercase().replace(' ', "-");
                if self.articles.contains_key(&slug) {
                    return None;
                }
                self.articles.insert(slug.clone(), (me.clone(), Vec::new()));
                let article = json!({"slug": slug, "title": title, "author": {"username": me}});
                Answer::Json(201, json!({"article": article}).to_string())
            }
            ["api", "articles"] => {
                let author = asked.path.split_once("author=").map(|(_, author)| author);
                if let Some(author) = author {
                    mine(author)?;
                }
                let of = |(slug, (user, _)): (&String, &(String, _))| {
                    let is_wanted = author.is_none_or(|author| author == user);
                    is_wanted.then(|| json!({"slug": slug, "author": {"username": user}}))
                };
                let all: Vec<_> = self.articles.iter().filter_map(of).collect();
                Answer::Json(200, json!({"articles": all}).to_string())
            }
            ["api", "articles", slug] => {
                mine(&self.articles.get(*slug)?.0)?;
                self.articles.remove(*slug);
                self.removed[0] += 1;
                Answer::Json(200, "{}".into())
            }
            ["api", "articles", slug, "comments"] if is_json => {
                self.comments += 1;
                let number = self.comments;
                self.articles.get_mut(*slug)?.1.push((number, me));
                Answer::Json(201, json!({"comment": {"id": number}}).to_string())
            }
            ["api", "articles", slug, "comments"] => {
                let comments = self.articles.get(*slug)?.1.iter();
                let comments: Vec<_> = comments.map(|(id, _)| json!({"id": id})).collect();
                Answer::Json(200, json!({"comments": comments}).to_string())
            }
            ["api", "articles", slug, "comments", number] => {
                let number: u64 = number.parse().ok()?;
                let comments = &mut self.articles.get_mut(*slug)?.1;
                let at = comments.iter().position(|(id, of)| *id == number && *of == me)?;
                comments.remove(at);
                self.removed[1] += 1;
                Answer::Json(200, "{}".into())
            }
            ["api", "profiles", user] => {
                mine(user)?;
                Answer::Json(200, json!({"profile": {"username": user}}).to_string())
            }
            ["note", "add"] => {
                self.notes.push(me);
                let number = self.notes.len();
                raw(302, &format!("Location: /note/{number}/change/"), "")
            }
            ["note", number, rest @ ..] => {
                let index: usize = number.parse().ok()?;
                mine(self.notes.get(index.checked_sub(1)?)?)?;
                match rest {
                    ["change", ""] if is_form => {
                        let revision = field(&asked.body, "revision_id")?;
                        (revision == (index * 7).to_string()).then_some(())?;
                        raw(302, "Location: /notes", "")
                    }
                    ["change", ""] => page(&format!(
                        "<form action=/note/{index}/change/><input type=hidden name=revision_id value={}>",
                        index * 7
                    )),
                    _ => page("<p>bread</p>"),
                }
            }
            ["notes"] => {
                let own = self.notes.iter().enumerate().filter(|(_, of)| **of == me);
                let list: String = own
                    .map(|(index, _)| {
                        let number = index + 1;
                        format!("<li data-note-id={number}><a href='/note/{number}/'>x</a>")
                    })
                    .collect();
                page(&format!("<a href=/note/add/>new</a> <ul>{list}</ul>"))
            }
            ["pins"] => {
                let number: usize = field(&asked.body, "note_id")?.parse().ok()?;
                mine(self.notes.get(number.checked_sub(1)?)?)?;
                self.pins.push(me);
                let text = format!("pinned, pin_id={}\n", self.pins.len());
                raw(201, "Content-Type: text/plain", &text)
            }
            ["pins", number] => {
                let number: usize = number.parse().ok()?;
                mine(self.pins.get(number.checked_sub(1)?)?)?;
                self.removed[2] += 1;
                Answer::Json(200, "{}".into())
            }
            _ => return None,
        })
    }

    fn register(&mut self, user: &Value) -> Option<Answer> {
        let name = user["username"].as_str()?.to_owned();
        let email = user["email"].as_str()?.to_owned();
        assert_eq!(user["password"], "the-password");
        let (_, domain) = email.split_once('@')?;
        let is_there = self.users.contains_key(&name) || self.users.values().any(|of| *of == email);
        if is_there || domain != "jake.jake" {
            return None;
        }
        let token = format!("token-of-{name}-1234567");
        let user = json!({"username": name, "email": email, "token": token});
        self.users.insert(name, email);
        Some(Answer::Json(201, json!({"user": user}).to_string()))
    }
}

#[test]
fn five_clones_register_and_each_works_on_his_own_on_data_that_is_not_put_back() {
    let site: Arc<Mutex<Site>> = Arc::default();
    {
        // What others left there.
        let mut site = site.lock().unwrap();
        site.users.insert("jake".into(), "jake@jake.jake".into());
        site.articles.insert("how-to-bake-48213".into(), ("jake".into(), vec![(7, "jake".into())]));
        site.articles.insert("first-words".into(), ("anna".into(), Vec::new()));
        site.comments = 100;
        site.notes = vec!["jake".into(); 9];
        site.pins = vec!["jake".into(); 9];
    }
    let serving = Arc::clone(&site);
    let server = Server::start(move |asked| serving.lock().unwrap().answer(asked));
    let place = Workplace::new(&TraceBuilder::default().session("unused", &[(0, "GET", "/")]), 0);
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/traces/notes.trace.jsonl");
    for turn in 1..=2 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_replayer"));
        command.arg("run").arg("--trace").arg(&trace).args(["--target", &server.url()]);
        command.arg("--out").arg(place.path("out")).args([
            "--clones",
            "5",
            "--no-probe",
            "--force",
        ]);
        command.args(["--slot", "password=THE_PASSWORD"]).env("THE_PASSWORD", "the-password");
        let ran = place.ran(command.output().unwrap());
        let site = site.lock().unwrap();
        assert_eq!(site.refused, [""; 0], "{}", ran.stderr);
        let run = ran.checked();
        assert_eq!(run.totals.planned, 5 * 16);
        assert_eq!((run.totals.failed_status, run.totals.rebound), (0, 0));
        assert_eq!(site.users.len(), 1 + 5 * turn);
        assert_eq!(site.removed, [5 * turn; 3]);
        assert_eq!(site.notes.len(), 9 + 5 * turn);
    }
}
