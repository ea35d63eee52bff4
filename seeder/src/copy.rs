//! COPY's text format: tabs between fields, a newline after a row.

pub(crate) use common::sql::push_text;

/// Appends a field that is NULL: unlike any text, since `\` is escaped there.
pub(crate) fn push_null(line: &mut Vec<u8>) {
    line.extend_from_slice(b"\\N");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sqlx::{Connection, PgConnection};

    use super::*;
    use cluster::testing::TestServer;

    /// Any text that Postgres can hold, rich in what COPY gives a meaning to.
    fn texts() -> impl Strategy<Value = Option<String>> {
        let special = proptest::collection::vec(
            prop_oneof![
                Just('\\'),
                Just('\t'),
                Just('\n'),
                Just('\r'),
                Just('N'),
                Just('.'),
                Just('\u{1F600}')
            ],
            0..8,
        )
        .prop_map(|characters| characters.into_iter().collect());
        let any = any::<String>().prop_map(|text| text.replace('\0', ""));
        proptest::option::of(prop_oneof![special, any])
    }

    #[test]
    fn any_text_comes_out_of_postgres_as_it_went_in() {
        let server = TestServer::start().unwrap();
        let database = server.database().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(database.url())).unwrap();
        let connection = std::cell::RefCell::new(connection);
        let round_trip =
            async |connection: &mut PgConnection, sent: &[(Option<String>, Option<String>)]| {
                sqlx::raw_sql("CREATE TEMP TABLE t (i bigserial, a text, b text)")
                    .execute(&mut *connection)
                    .await?;
                let mut lines = Vec::new();
                for (a, b) in sent {
                    for (field, end) in [(a, b'\t'), (b, b'\n')] {
                        match field {
                            Some(text) => push_text(&mut lines, text),
                            None => push_null(&mut lines),
                        }
                        lines.push(end);
                    }
                }
                let mut copy = connection.copy_in_raw("COPY t (a, b) FROM STDIN").await?;
                copy.send(lines).await?;
                copy.finish().await?;
                let got = sqlx::query_as("SELECT a, b FROM t ORDER BY i")
                    .fetch_all(&mut *connection)
                    .await?;
                sqlx::raw_sql("DROP TABLE t").execute(connection).await?;
                Ok::<Vec<(Option<String>, Option<String>)>, sqlx::Error>(got)
            };
        proptest!(|(sent in proptest::collection::vec((texts(), texts()), 1..30))| {
            let got = runtime.block_on(round_trip(&mut connection.borrow_mut(), &sent)).unwrap();
            prop_assert_eq!(got, sent);
        });
    }

    #[test]
    fn what_would_end_a_field_is_escaped_and_the_rest_left_alone() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("\\N", "\\\\N"),
            ("a\tb\nc\rd\\", "a\\tb\\nc\\rd\\\\"),
            ("ä \u{1f600} '\"", "ä \u{1f600} '\""),
        ] {
            let mut line = Vec::new();
            push_text(&mut line, text);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
