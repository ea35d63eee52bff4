//! Values that a client makes: other ones in each run of its session.

use super::*;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

fn post(client: &mut Client, path: &str, body: &Value, answer: &Value) -> Request {
    client.send("POST", path, &JSON, &body.to_string(), &JSON, &answer.to_string()).clone()
}

/// The request with `<key>` where something is made anew.
fn form(request: &Request) -> (String, String) {
    let of = |part: Part, text: &str| {
        let mut bindings: Vec<_> = request.bind.iter().filter(|b| b.part == part).collect();
        bindings.sort_by_key(|binding| std::cmp::Reverse(binding.start));
        let mut text = text.to_owned();
        for binding in bindings {
            let name = match &binding.from {
                Origin::Fresh { key, .. } => format!("<{key}>"),
                other => format!("<{other:?}>"),
            };
            text.replace_range(binding.start..binding.end, &name);
        }
        text
    };
    let body = match &request.body {
        Some(Body::Text(text)) => of(Part::Body, text),
        _ => String::new(),
    };
    (of(Part::Path, &request.path), body)
}

#[test]
fn who_registers_is_another_one_each_time_and_stays_who_he_is() {
    let mut client = Client::new();
    let sent = json!({"email": "jake@jake.jake", "password": "pw-8c1d2f00", "username": "jake"});
    let user = json!({"user": {"username": "jake", "email": "jake@jake.jake", "token": TOKEN}});
    let registered = post(&mut client, "/api/users", &sent, &user);
    let (_, body) = form(&registered);
    assert!(
        body.contains("\"jake<email>@jake.jake\"") && body.contains("\"jake<username>\""),
        "{body}"
    );
    let profile = client.get("/api/profiles/jake", "{}");
    assert_eq!(form(profile).0, "/api/profiles/jake<username>");
    let own = client.get("/api/articles?author=jake&mail=jake%40jake.jake", "{}");
    assert_eq!(form(own).0, "/api/articles?author=jake<username>&mail=jake<email>%40jake.jake");
    let said = post(&mut client, "/notes", &json!({"text": "it is me, jake"}), &json!({}));
    assert!(form(&said).1.contains("it is me, jake<username>"), "{:?}", form(&said));
}

#[test]
fn what_the_client_made_is_its_own_within_a_longer_value() {
    let mut client = Client::new();
    let room = json!({"name": "Site 1795730790809", "alias": "site-1795730790809"});
    let made = post(&mut client, "/rooms", &room, &json!({"room_id": "!uoUq3yMrljwn9jxGS4FrjS4"}));
    assert!(form(&made).1.contains("\"site-<alias>\""), "{:?}", form(&made));
    // Neither what stands under an id of this recording, nor one of a list of all rooms.
    let alias = "#site-1795730790809:localhost";
    let synced = json!({"join": {"!uoUq3yMrljwn9jxGS4FrjS4": {"alias": alias}}});
    client.get("/sync", &synced.to_string());
    client.get(
        "/rooms",
        &json!({"chunk": [{"alias": "#a:localhost"}, {"alias": alias}]}).to_string(),
    );
    let asked = client.get("/directory/room/%23site-1795730790809%3Alocalhost", "{}");
    assert_eq!(form(asked).0, "/directory/room/%23site-<alias>%3Alocalhost");
    let said =
        post(&mut client, "/say", &json!({"text": "see #site-1795730790809 now"}), &json!({}));
    assert!(form(&said).1.contains("see #site-<alias> now"), "{:?}", form(&said));
    // What the server made of it is the server's.
    let slug = json!({"article": {"slug": "site-1795730790809-x7k2"}});
    post(&mut client, "/articles", &json!({"title": "Site 1795730790809"}), &slug);
    let read = client.get("/articles/site-1795730790809-x7k2", "{}");
    assert_eq!(origins(read), [&capture("r6", "article.slug")]);
}

#[test]
fn who_logs_in_was_there_before() {
    let mut client = Client::new();
    let sent = json!({"email": "u1795679399@mail.com", "password": "pw-8c1d2f00"});
    let user = json!({"user": {"token": TOKEN}});
    let login = post(&mut client, "/users/login", &sent, &user);
    assert!(!form(&login).1.contains("<email>"), "{:?}", form(&login));
}

#[test]
fn what_has_to_be_unique_is_known_by_what_it_looks_like() {
    let mut client = Client::new();
    for (body, expected) in [
        (json!({"email": "u1795679399@mail.com"}), r#"{"email":"u<email>@mail.com"}"#.to_owned()),
        (json!({"text": format!("Load test {ID}")}), r#"{"text":"Load test <text>"}"#.to_owned()),
        (json!({"name": "user_48213"}), r#"{"name":"user_<name>"}"#.to_owned()),
        (
            json!({"text": "fire on floor 3", "device": "device_48213", "name": "anna", "title": "Top 10"}),
            String::new(),
        ),
    ] {
        let sent = post(&mut client, "/things", &body, &json!({}));
        let expected = if expected.is_empty() { body.to_string() } else { expected };
        assert_eq!(form(&sent).1, expected);
    }
    let sent = client.send("POST", "/f", &FORM, "email=u77777777%40mail.com&x=1", &[], "");
    assert_eq!(form(sent).1, "email=u<email.2>%40mail.com&x=1");
}

#[test]
fn a_counter_shows_when_it_goes_on() {
    let mut client = Client::new();
    let mut titled =
        |title: &str| form(&post(&mut client, "/a", &json!({"title": title}), &json!({}))).1;
    assert_eq!(titled("Article 1"), r#"{"title":"Article 1"}"#);
    assert_eq!(titled("Article 2"), r#"{"title":"Article <title>"}"#);
    assert_eq!(titled("Article 3"), r#"{"title":"Article <title.2>"}"#);
    assert_eq!(titled("Chapter 3"), r#"{"title":"Chapter 3"}"#);
}

#[test]
fn rules_say_what_has_to_be_unique_and_of_what_form() {
    let mut client = Client::new();
    client.correlator.rules = toml::from_str("fresh = [\"title\", [\"sku\", \"AA-99\"]]").unwrap();
    let body = json!({"title": "How to bake", "sku": "XY-12", "note": "How to bake"});
    let sent = post(&mut client, "/articles", &body, &json!({}));
    assert_eq!(
        form(&sent).1,
        r#"{"note":"How to bake","sku":"<sku>","title":"How to bake<title>"}"#
    );
    let like = sent.bind.iter().find_map(|binding| match &binding.from {
        Origin::Fresh { key, like } if key == "sku" => Some(like.clone()),
        _ => None,
    });
    assert_eq!(like, Some(FreshId::Pattern("AA-99".into())));
    // It looks for what is there already.
    assert_eq!(form(client.get("/articles?title=Other", "[]")).0, "/articles?title=Other");
}

#[test]
fn an_id_in_a_text_that_an_answer_gave_is_that_id() {
    let mut client = Client::new();
    client.get("/things", &json!([{"id": ID, "name": "x"}]).to_string());
    let sent = json!({"thing": ID, "note": format!("about {ID}")});
    let took = post(&mut client, "/things/take", &sent, &json!({}));
    let from: Vec<&Origin> = took.bind.iter().map(|binding| &binding.from).collect();
    assert_eq!(from.len(), 2, "{from:?}");
    assert!(from.iter().all(|from| matches!(from, Origin::Capture { .. })), "{from:?}");
}
