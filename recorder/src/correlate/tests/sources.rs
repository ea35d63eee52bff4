//! Which of several answers a value is bound to, and which are missed by nobody.

use proptest::prelude::*;

use super::*;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const HTML: [(&str, &str); 1] = [("Content-Type", "text/html; charset=utf-8")];
const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];

/// A client without an account, whose answers to reads and writes are given.
impl Client {
    fn post(&mut self, path: &str, body: &Value, answer: &Value) -> &Request {
        self.send("POST", path, &JSON, &body.to_string(), &JSON, &answer.to_string())
    }

    fn page(&mut self, path: &str, page: &str) -> &Request {
        self.send("GET", path, &[], "", &HTML, page)
    }

    fn with_rules(rules: &str) -> Self {
        let mut client = Self::new();
        client.correlator.rules = toml::from_str(rules).unwrap();
        client
    }
}

fn literal(request: &Request) -> bool {
    request.bind.is_empty()
}

#[test]
fn an_id_is_bound_to_the_write_that_made_it_and_not_to_a_list_that_has_it() {
    let mut client = Client::new();
    client.get("/articles", &json!({"articles": [{"slug": "a-b", "id": 4}]}).to_string());
    let made = json!({"comment": {"id": 7, "body": "x"}});
    client.post("/articles/a-b/comments", &json!({"comment": {"body": "x"}}), &made);
    let list = json!({"comments": [{"id": 3}, {"id": 7}, {"id": 9}]});
    client.get("/articles/a-b/comments", &list.to_string());
    let removed = client.send("DELETE", "/articles/a-b/comments/7", &[], "", &[], "");
    assert_eq!(origins(removed), [&capture("r1", "articles.0.slug"), &capture("r2", "comment.id")]);
    assert_eq!(removed.name, "DELETE /articles/{id}/comments/{id}");
    // What nobody made is one of the list.
    let removed = client.send("DELETE", "/articles/a-b/comments/9", &[], "", &[], "");
    assert_eq!(origins(removed)[1], &capture("r3", "comments.2.id"));
}

#[test]
fn an_answer_that_says_again_what_was_sent_gives_nothing() {
    let mut client = Client::new();
    client.get("/things", &json!([{"id": 5}, {"id": 6}]).to_string());
    for _ in 0..2 {
        let read = client.get("/things/6", &json!({"id": 6}).to_string());
        assert_eq!(origins(read), [&capture("r1", "1.id")]);
    }
}

#[test]
fn the_accounts_own_values_go_before_all_others_whatever_they_are_sent_as() {
    let mut client = Client::new();
    let user = json!({"user": {"username": "wilma", "email": "w@x.org", "token": TOKEN}});
    let sent = json!({"user": {"email": "w@x.org", "password": "pw-8c1d2f00"}});
    client.post("/users/login", &sent, &user);
    let feed = json!({"articles": [
        {"slug": "a-b", "author": {"username": "wilma"}},
        {"slug": "c-d", "author": {"username": "fred"}},
    ]});
    client.get("/articles", &feed.to_string());
    let own = client.get("/articles?author=wilma", "{}");
    assert_eq!(origins(own), [&capture("r1", "user.username")]);
    let own = client.get("/profiles/wilma", "{}");
    assert_eq!(origins(own), [&capture("r1", "user.username")]);
    let other = client.get("/profiles/fred", "{}");
    assert_eq!(origins(other), [&capture("r2", "articles.1.author.username")]);
}

#[test]
fn values_of_the_manifests_account_are_known_under_any_name() {
    let mut client = Client::new();
    let account = Arc::get_mut(&mut client.correlator.accounts[0]).unwrap();
    account.fields.insert("username".into(), "wilma".into());
    client.log_in();
    client.get("/articles", &json!([{"author": "wilma", "id": "wilma"}]).to_string());
    let own = client.get("/articles?author=wilma", "{}");
    assert_eq!(origins(own), [&Origin::Account("username".into())]);
}

#[test]
fn an_object_within_another_has_its_own_ids() {
    let mut client = Client::new();
    let list =
        json!({"articles": [{"id": 4, "author": {"id": 12}}, {"id": 5, "author": {"id": 4}}]});
    client.get("/articles", &list.to_string());
    assert!(literal(client.get("/articles/12", "{}")), "the author's id");
    assert_eq!(origins(client.get("/articles/4", "{}")), [&capture("r1", "articles.0.id")]);
    assert_eq!(origins(client.get("/authors/4", "{}")), [&capture("r1", "articles.1.author.id")]);
    let posted = client.post("/likes", &json!({"author_id": 12, "count": 4}), &json!({}));
    assert_eq!(origins(posted), [&capture("r1", "articles.0.author.id")]);
}

#[test]
fn two_sources_as_good_as_each_other_are_told() {
    let mut client = Client::new();
    client.get("/a", &json!({"order_number": "17", "orderNumber": "17"}).to_string());
    client.correlator.rules =
        toml::from_str("same = [[\"order\", \"order_number\"], [\"order\", \"orderNumber\"]]")
            .unwrap();
    let sent = client.get("/b?order=17", "{}");
    assert!(sent.bind[0].ambiguous, "{:?}", sent.bind);
    client.get("/c", &json!({"order_number": "18"}).to_string());
    assert!(!client.get("/b?order=18", "{}").bind[0].ambiguous);
}

#[test]
fn a_redirect_gives_ids_however_short_they_are() {
    for (location, path) in [
        ("/note/2/change/", "/note/2/change/"),
        ("http://127.0.0.1:8000/note/2/change/?saved=1", "/note/2/delete/"),
        ("2/change/", "/note/2/change/"),
    ] {
        let mut client = Client::new();
        let given = [("Location", location)];
        client.send("POST", "/note/add", &FORM, "body=x", &given, "");
        let next = client.get(path, "");
        assert_eq!(origins(next), [&capture("r1", "header:location:2")], "{location}");
        assert_eq!(next.name.matches("{id}").count(), 1);
        assert!(literal(client.get("/tag/2/change/", "")), "another resource");
        assert!(literal(client.get("/notes?page=2", "")), "another meaning");
    }
    let mut client = Client::new();
    client.send("POST", "/posts/new", &FORM, "title=x", &[("Location", "/posts/how-to-bake")], "");
    assert_eq!(
        origins(client.get("/posts/how-to-bake", "")),
        [&capture("r1", "header:location:0")]
    );
    client.send("POST", "/login", &FORM, "a=b", &[("Location", "/dashboard")], "");
    assert!(literal(client.get("/dashboard", "")), "the name of a page");
}

#[test]
fn slugs_without_digits_are_ids_of_what_they_name() {
    let mut client = Client::new();
    let made = json!({"article": {"slug": "how-to-bake", "title": "How to bake"}});
    client.post("/api/articles", &json!({"article": {"title": "How to bake"}}), &made);
    let read = client.get("/api/articles/how-to-bake/comments", "{}");
    assert_eq!(origins(read), [&capture("r1", "article.slug")]);
    assert!(literal(client.get("/api/tags/how-to-bake", "{}")));
}

#[test]
fn rules_name_what_a_segment_means() {
    let mut client = Client::with_rules("same = [[\"shelf\", \"book.isbn\"], [\"s\", \"place\"]]");
    client.get("/books", &json!({"book": {"isbn": "abc"}, "place": "top"}).to_string());
    assert_eq!(origins(client.get("/shelf/abc", "{}")), [&capture("r1", "book.isbn")]);
    assert_eq!(origins(client.get("/s/top", "{}")), [&capture("r1", "place")]);
}

#[test]
fn pages_give_ids_by_links_data_meta_and_hidden_fields() {
    let mut client = Client::new();
    let page = r#"<meta name="draft-id" content="31"><nav><a href="/accounts/logout/">out</a>
        <a href="/note/add/">new</a></nav>
        <ul><li data-note-id="5"><a href="/note/2/">a</a> <a href="/note/12/">b</a></ul>
        <form action="/note/12/share/"><input type="hidden" name="revision_id" value="7"></form>"#;
    client.page("/", page);
    let read = client.get("/note/12/", "");
    assert_eq!(origins(read), [&capture("r1", "href:/note/{#1}/")]);
    let posted = client.send("POST", "/note/12/share/", &FORM, "revision_id=7&page=2", &[], "");
    assert_eq!(
        origins(posted),
        [&capture("r1", "href:/note/{#1}/"), &capture("r1", "form:revision_id")]
    );
    let posted = client.send("POST", "/pin", &FORM, "note_id=5&draft-id=31", &[], "");
    assert_eq!(
        origins(posted),
        [&capture("r1", "data-note-id:{#0}"), &capture("r1", "meta:draft-id")]
    );
    for path in ["/accounts/logout/", "/tag/12/", "/?page=2", "/note/add/"] {
        assert!(literal(client.get(path, "")), "{path}");
    }
}

#[test]
fn words_of_routes_and_figures_are_no_ids() {
    let mut client = Client::new();
    let forms = "<form action=/time_entries><a href=/issues/31/change-parent><a href=/sign-in>";
    client.page("/issues/31/time_entries/new", forms);
    for path in ["/time_entries", "/issues/31/change-parent", "/sign-in"] {
        let asked = client.send("POST", path, &FORM, "hours=2", &HTML, "");
        assert!(literal(asked), "{path}: {:?}", asked.bind);
    }
    let counted = json!({"data": [{"countDistinct": {"id": 10}}]});
    client.get("/items/articles?aggregate[countDistinct]=id", &counted.to_string());
    assert!(literal(client.get("/items/articles/10", "{}")));
}

#[test]
fn an_id_of_letters_alone_is_bound_under_its_own_name() {
    let mut client = Client::new();
    let session = "FEKzCCidMHVqHDWHZPdXsrjY";
    client.post(
        "/register",
        &json!({}),
        &json!({"session": session, "kind": "ApplicationServiceLogin"}),
    );
    let kind = json!({"auth": {"session": session}, "kind": "ApplicationServiceLogin"});
    let again = client.post("/register", &kind, &json!({}));
    assert_eq!(origins(again), [&capture("r1", "session")]);
}

/// As for long ids, where they are short: numbers and slugs in links, hidden fields, redirects and
/// JSON, among numbers that count, pages, words of routes and what the client says itself.
#[test]
fn short_ids_slugs_and_those_of_pages_and_redirects_are_bound_as_well() {
    let mut tally = Tally::default();
    let words = ["old", "bridge", "crane", "rain", "site", "lift"];
    for seed in 100..140 {
        let mut client = Client::new();
        let mut next = drawing(seed);
        for step in 0..60_u64 {
            let count = next(12) + 1;
            let mut ids: Vec<u64> = (0..count).map(|_| next(500) + 1).collect();
            ids.dedup();
            let picked = ids[next(ids.len() as u64) as usize].to_string();
            let slug = |id: u64| {
                let word = |n: u64| words[(id / n) as usize % words.len()];
                format!("{}-{}-{}", word(1), word(7), word(49))
            };
            let links: String = ids
                .iter()
                .map(|id| format!("<li data-note-id={id}><a href=\"/notes/{id}/\">{id}</a>"))
                .collect();
            let page = format!(
                "<title>Notes</title><a href=/notes/new/>new</a><a href=/about>{count}</a>{links}\
                 <a href=\"/notes/?page=2\">2</a><form action=/notes/search_all><input name=q value=''></form>"
            );
            let wanted = match next(6) {
                0 => {
                    client.page("/notes/", &page);
                    client.page(&format!("/notes/{picked}/?page={count}"), "<p>");
                    picked
                }
                1 => {
                    let form = format!(
                        "<form action=/notes/{picked}/edit><input type=hidden name=note_id value={picked}>\
                         <input name=priority value={count}><input name=text value=x>"
                    );
                    client.page("/notes/", &page);
                    client.page(&format!("/notes/{picked}/"), &form);
                    let body = format!("note_id={picked}&priority={step}&text=crane+{count}");
                    client.send("POST", "/remarks", &FORM, &body, &HTML, "<p>");
                    picked
                }
                2 => {
                    let body = format!("priority={step}&text=rain");
                    let to = [("Location", format!("/notes/{picked}/"))];
                    let to = [(to[0].0, to[0].1.as_str())];
                    client.send("POST", "/notes/new/", &FORM, &body, &to, "");
                    client.page(&format!("/notes/{picked}/"), "<p>");
                    picked
                }
                3 => {
                    let slugs: Vec<_> = ids
                        .iter()
                        .map(|&id| json!({"slug": slug(id), "favourites": id, "title": "rain"}))
                        .collect();
                    client.get("/api/articles?limit=20", &json!({"articles": slugs}).to_string());
                    let slug = slugs[0]["slug"].as_str().unwrap().to_owned();
                    client.get(&format!("/api/articles/{slug}"), "{}");
                    slug
                }
                4 => {
                    let made = json!({"comment": {"id": ids[0], "likes": count}});
                    client.post("/api/comments", &json!({"body": "rain"}), &made);
                    let id = ids[0].to_string();
                    client.send("DELETE", &format!("/api/comments/{id}"), &[], "", &[], "");
                    id
                }
                _ => {
                    let list: Vec<_> =
                        ids.iter().map(|id| json!({"id": id, "size": count})).collect();
                    client.get("/api/crews", &json!({"items": list, "total": count}).to_string());
                    let crew = ids[0].to_string();
                    let body = json!({"crew_id": ids[0], "size": step, "note": "7 of 9"});
                    client.post("/api/orders", &body, &json!({}));
                    crew
                }
            };
            tally.add(&[&wanted], &captured(&client.lines.last().unwrap().request));
        }
    }
    tally.judge();
}

#[test]
fn what_names_the_site_itself_is_kept_without_it() {
    let mut client = Client::new();
    client.page("/notes/", "<a href=/notes/17/>");
    let headers = [
        ("Host", "127.0.0.1:8080"),
        ("Origin", "http://127.0.0.1:8080"),
        ("Referer", "http://127.0.0.1:8080/notes/17/"),
        ("X-Other", "http://127.0.0.1:8080/"),
    ];
    let sent = client.send("POST", "/notes/17/", &headers, "", &HTML, "");
    let kept: Vec<_> = sent.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let site = "http://127.0.0.1:8080/";
    assert_eq!(kept, [("Origin", "/"), ("Referer", "/notes/17/"), ("X-Other", site)]);
    assert_eq!(origins(sent), [&capture("r1", "href:/notes/{#0}/")]);
}

#[test]
fn what_a_client_made_is_remembered_however_many_pages_say_it_again() {
    let mut client = Client::new();
    client.send("POST", "/notes/new/", &FORM, "text=rain", &[("Location", "/notes/7/")], "");
    for number in 0..20 {
        let page = format!(
            "<a href=/notes/7/{number}><input name=note_id value=7><input name=x{number}_id value=7>"
        );
        client.page(&format!("/pages/{number}"), &page);
    }
    assert_eq!(origins(client.page("/notes/7/", "")), [&capture("r1", "header:location:1")]);
}

#[test]
fn texts_give_ids_too() {
    let mut client = Client::new();
    client.send(
        "POST",
        "/jobs",
        &JSON,
        "{}",
        &[("Content-Type", "text/plain")],
        "queued, job_id=41\n",
    );
    assert_eq!(origins(client.get("/jobs/41", "")), [&capture("r1", "text:queued, job_id={}\n")]);
    client.send("POST", "/notes", &FORM, "body=x", &[("Content-Type", "text/plain")], "17\n");
    assert_eq!(origins(client.get("/notes/17", "")), [&capture("r3", "text:{}\n")]);
    let xml = [("Content-Type", "application/xml")];
    client.send("POST", "/carts", &JSON, "{}", &xml, "<cart><id>9</id></cart>");
    assert_eq!(origins(client.get("/carts/9", "")), [&capture("r5", "text:<cart><id>{}<")]);
    assert!(literal(client.get("/shops/9", "")));
}

proptest! {
    /// Small numbers are everywhere: only those that place, name and resource agree on are bound.
    #[test]
    fn small_numbers_in_unrelated_places_stay(
        numbers in vec(1_u32..6, 8),
        page in 1_u32..6,
        amount in 1_u32..6,
    ) {
        let mut client = Client::new();
        let items: Vec<_> = numbers.iter().map(|n| json!({
            "id": n, "priority": n, "owner": {"id": numbers[0]}, "tags": [{"id": n}],
        })).collect();
        client.get("/tickets", &json!({"items": items, "page": page, "total": 8}).to_string());
        let links: String =
            numbers.iter().map(|n| format!("<a href=/note/{n}/>{n}</a> <a href='/?page={n}'>")).collect();
        client.page("/notes", &format!("<input type=hidden name=version value={page}>{links}"));
        let first = numbers[0];
        let body = json!({"priority": amount, "amount": amount, "page": page, "id": amount, "rows": [amount]});
        for request in [
            client.get(&format!("/orders?page={page}&size={amount}&sort={page}"), "{}").clone(),
            client.get(&format!("/orders/{first}"), "{}").clone(),
            client.get(&format!("/v{page}/step/{amount}"), "{}").clone(),
            client.post("/orders", &body, &json!({})).clone(),
            client.send("POST", "/pay", &FORM, &format!("amount={amount}&qty={page}&floor={first}"), &[], "").clone(),
        ] {
            prop_assert!(literal(&request), "{} {:?}", request.path, request.bind);
        }
        let ticket = client.get(&format!("/tickets/{first}"), "{}");
        let found = origins(ticket);
        let is_one = |n: usize| {
            numbers[n] == first && found == [&capture("r1", &format!("items.{n}.id"))]
        };
        prop_assert!((0..8).any(is_one), "{found:?} of {numbers:?}");
        let note = client.get(&format!("/note/{first}/edit/"), "");
        prop_assert_eq!(origins(note), [&capture("r2", "href:/note/{#0}/")]);
    }
}
