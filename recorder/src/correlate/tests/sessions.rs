//! Who is one session, and who is another.

use super::*;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

impl Client {
    /// Sends a body with a name and a password; the session that it is of.
    fn account(&mut self, path: &str, email: &str, answer: &str) -> String {
        let body = json!({"user": {"email": email, "password": "a-password-9"}}).to_string();
        self.send("POST", path, &JSON, &body, &[], answer).session.clone()
    }

    /// Sends what only needs a token.
    fn with_token(&mut self, path: &str, token: &str) -> String {
        let bearer = format!("Token {token}");
        self.send("GET", path, &[("authorization", &bearer)], "", &[], "{}").session.clone()
    }
}

fn token(token: &str) -> String {
    json!({"user": {"token": token}}).to_string()
}

const MINE: &str = "token-0123456789-mine";
const MINE_LATER: &str = "token-0123456789-mine-later";
const OF_A_FRIEND: &str = "token-0123456789-friend";

#[test]
fn who_registers_logs_in_and_registers_a_friend_is_one_session() {
    let mut client = Client::new();
    let registered = client.account("/api/users", "me@example.org", &token(MINE));
    assert_eq!(
        client.account("/api/users/login", "me@example.org", &token(MINE_LATER)),
        registered
    );
    assert_eq!(client.account("/api/users", "friend@example.org", &token(OF_A_FRIEND)), registered);
    assert_eq!(client.account("/api/users/login", "me@example.org", &token(MINE)), registered);
    assert_eq!(client.with_token("/api/user", MINE), registered);
    assert_eq!(client.with_token("/api/user", MINE_LATER), registered);
    // The friend himself is somebody else.
    let friend = client.account("/api/users/login", "friend@example.org", &token(OF_A_FRIEND));
    assert_ne!(friend, registered);
    let prologue = client.lines.iter().map(|line| line.request.prologue);
    assert_eq!(prologue.take(4).collect::<Vec<_>>(), [true, true, false, false]);
}

#[test]
fn whose_client_opens_a_connection_for_each_request_logs_in_to_what_he_registered() {
    let mut client = Client::new();
    let registered = client.account("/register", "me@example.org", "{}");
    client.connection = 2;
    assert_eq!(client.account("/login", "me@example.org", &token(MINE)), registered);
    client.connection = 3;
    assert_eq!(client.with_token("/me", MINE), registered);
    client.connection = 4;
    let again = client.account("/login", "me@example.org", &token(MINE_LATER));
    assert_ne!(again, registered, "who comes anew");
}

#[test]
fn a_cookie_jar_keeps_its_session_through_a_login() {
    let mut client = Client::new();
    let set = [("set-cookie", "sid=0123456789abcdef; HttpOnly")];
    let first = client.send("GET", "/", &[], "", &set, "").session.clone();
    for connection in [1, 2] {
        client.connection = connection;
        let headers = [JSON[0], ("cookie", "sid=0123456789abcdef")];
        let body = json!({"username": "me", "password": "a-password-9"}).to_string();
        let login = client.send("POST", "/login", &headers, &body, &[], "{}");
        assert_eq!(login.session, first, "on connection {connection}");
    }
}

#[test]
fn a_refresh_on_a_new_connection_is_of_whose_token_it_sends() {
    let mut client = Client::new();
    let answer =
        json!({"access_token": TOKEN, "refresh_token": "refresh-0123456789-abc"}).to_string();
    let mine = client.account("/login", "me@example.org", &answer);
    client.connection = 2;
    let other =
        json!({"access_token": format!("{TOKEN}2"), "refresh_token": "refresh-9876543210-x"});
    let others = client.account("/login", "other@example.org", &other.to_string());
    assert_ne!(mine, others);
    for connection in [7, 2] {
        client.connection = connection;
        let body = json!({"refresh_token": "refresh-0123456789-abc"}).to_string();
        let answer = json!({"access_token": format!("{TOKEN}{connection}x")}).to_string();
        let refresh = client.send("POST", "/refresh", &JSON, &body, &[], &answer);
        assert_eq!(refresh.session, mine, "on connection {connection}");
        assert!(matches!(origins(refresh)[0], Origin::Capture { of, .. } if of == "r1"));
    }
}

#[test]
fn a_password_that_says_no_name_is_of_whose_connection_it_is() {
    let mut client = Client::new();
    let mine = client.account("/login", "me@example.org", &token(MINE));
    let body = json!({"old_password": "a-password-9", "new_password": "another-8"}).to_string();
    assert_eq!(client.send("POST", "/me/password", &JSON, &body, &[], "{}").session, mine);
}
