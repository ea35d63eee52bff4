//! Users who go on to sessions that began otherwise than their own.

use std::fmt::Write as _;

use run_log::outcome::Outcome;
use trace::format::Request;

use crate::support::trace::{at, bears, gives, logs_in, request, takes};
use crate::support::{Answer, PASSWORD, Ran, Server, TraceBuilder, Workplace};

/// A request that gives a token.
fn gives_token(id: &str, session: &str, at_ms: u64, path: &str) -> Request {
    logs_in(id, session, at_ms, path, "user.token")
}

/// Ten requests with the token of `login`, and with a value of `form`, if that was asked for one.
fn work(session: &str, login: &str, form: Option<&str>) -> Vec<Request> {
    let step = |number: u64| {
        let path = if form.is_some() { "/work?csrf=0" } else { "/work" };
        let id = format!("{session}.{number}");
        let mut step = request(&id, session, 200 + number * 50, "GET", path);
        bears(&mut step, login, "user.token");
        if let Some(form) = form {
            takes(&mut step, 11..12, form, "form:csrf");
        }
        step
    };
    (0..10).map(step).collect()
}

/// Sessions that begin with a login; a look at the page before; a registration before; only a
/// registration; and a form whose value all that follows needs.
fn sessions() -> TraceBuilder {
    let mut trace = TraceBuilder::default();
    let mut add = |requests: Vec<Request>| trace.requests.extend(requests);
    let mut begin = |session: &str, prologue: Vec<Request>, form: Option<&str>| {
        let login = prologue.last().unwrap().id.clone();
        add(prologue);
        add(work(session, &login, form));
    };
    begin("a", vec![gives_token("a.login", "a", 0, "/login")], None);
    let page = Request { prologue: true, ..request("b.page", "b", 0, "GET", "/") };
    begin("b", vec![page, gives_token("b.login", "b", 50, "/login")], None);
    let registers = gives_token("c.register", "c", 0, "/register");
    begin("c", vec![registers, gives_token("c.login", "c", 50, "/login")], None);
    begin("d", vec![gives_token("d.register", "d", 0, "/register")], None);
    let mut form = Request { prologue: true, ..request("e.form", "e", 0, "GET", "/form") };
    gives(&mut form, "form:csrf", at("/csrf"));
    begin("e", vec![form, gives_token("e.login", "e", 50, "/login")], Some("e.form"));
    trace.in_order()
}

/// Gives tokens and wants them; what else it is asked it does not know.
fn server() -> Server {
    Server::start(|asked| {
        let is_known = asked.header("authorization") == Some("Bearer a-token-of-mine");
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, "csrf=c-7"));
        match path {
            "/login" | "/register" if asked.body.contains(PASSWORD) => {
                Answer::Json(200, r#"{"user":{"token":"a-token-of-mine"}}"#.into())
            }
            "/" => Answer::Json(200, "{}".into()),
            "/form" => Answer::Json(200, r#"{"csrf":"c-7"}"#.into()),
            "/work" if is_known && query == "csrf=c-7" => Answer::Json(200, "{}".into()),
            _ => Answer::Json(401, "{}".into()),
        }
    })
}

fn assert_all_good(ran: &Ran) {
    let run = ran.checked();
    let mut wrong = String::new();
    for (outcome, count) in run.totals.outcomes.iter() {
        if outcome != Outcome::Completed && count > 0 {
            write!(wrong, "{count} {outcome:?} ").unwrap();
        }
    }
    assert_eq!(wrong, "", "{}", ran.stdout);
    assert_eq!(run.totals.failed_status, 0, "{}", ran.stdout);
    assert!(run.totals.planned > 500, "{}", ran.stdout);
}

#[test]
fn a_user_who_goes_on_to_a_session_with_another_prologue_keeps_his_token() {
    let place = Workplace::new(&sessions(), 30);
    for options in [&[][..], &["--pacing", "closed"], &["--restart", "new-user"]] {
        let load = ["--no-probe", "--force", "--users", "30", "--duration", "5s"];
        assert_all_good(&place.run(&server().url(), &[&load[..], options].concat()));
    }
}

/// As recorded with `accounts = "Reader"` in a personas file.
#[test]
fn a_persona_that_was_recorded_with_the_accounts_of_another_is_replayed_with_them() {
    let mut trace = sessions();
    for line in &mut trace.requests {
        (line.persona, line.account) = (Some("Editor".into()), Some("visitor2".into()));
    }
    trace.weights = vec![("Editor", 1.0)];
    let ran = Workplace::new(&trace, 3).run(&server().url(), &["--no-probe", "--clones", "12"]);
    assert_all_good(&ran);
    let run = ran.checked();
    assert_eq!((run.personas[0].name.as_str(), run.personas[0].accounts), ("Editor", 3));
}
