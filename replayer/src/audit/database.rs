//! Looks for marks in a database.

use std::time::{Duration, Instant};

use common::nearest;
use common::sql::{push_text, quoted};
use common_net::apart::within;
use futures_util::TryStreamExt as _;
use run_log::audit::{AuditCounts, AuditRow, Finding, MarkOutcome, MarkRow};
use run_log::reader::Rows;
use run_log::writer::Findings;
use scenario::{Audit, MarkPlace};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::error::AuditError;
use crate::observe::{Place, quoted_table};

/// How long all of it may take.
const MOST: Duration = Duration::from_secs(600);

/// How long one statement may take, and the tables of this session; all of it goes with the
/// transaction. Marks are compared byte by byte, whatever the column's collation is.
const BEGIN: &str = r#"SET LOCAL statement_timeout = '300s';
CREATE TEMPORARY TABLE replayer_audit_marks
    (second bigint NOT NULL, mark text COLLATE "C" NOT NULL, acknowledged boolean NOT NULL)
    ON COMMIT DROP;
CREATE TEMPORARY TABLE replayer_audit_found
    (mark text COLLATE "C" NOT NULL, second bigint NOT NULL, acknowledged bigint NOT NULL,
     there bigint NOT NULL)
    ON COMMIT DROP"#;

const COPY: &str = "COPY pg_temp.replayer_audit_marks (second, mark, acknowledged) FROM STDIN";

/// Bytes of marks that are sent at once.
const CHUNK: usize = 64 << 10;

const COUNTS: &str = "SELECT count(*),
    count(*) FILTER (WHERE acknowledged > 0 AND there = 0),
    count(*) FILTER (WHERE there > 1),
    count(*) FILTER (WHERE acknowledged = 0 AND there > 0),
    coalesce(sum(acknowledged - 1) FILTER (WHERE acknowledged > 1), 0)::bigint
    FROM pg_temp.replayer_audit_found";

/// So many names are shown where one is not known.
const MOST_NAMES: usize = 20;

/// Makes sure that marks can be looked for: that table and column are there, are of a kind that
/// holds a mark, and may be read, and that the session may have a temporary table. Nothing is read.
///
/// # Errors
/// When something of it is not so, or the database cannot be reached.
pub async fn check(place: Place, audit: &Audit) -> Result<(), AuditError> {
    let mut connection = connected(place).await?;
    let audit = audit.clone();
    within(MOST, async move {
        let stored = Stored::of(&mut connection, &audit).await?;
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(BEGIN).execute(&mut *transaction).await?;
        stored.find(&mut transaction, "false").await?;
        transaction.rollback().await?;
        Ok::<_, AuditError>(())
    })
    .await?
}

/// Looks for the marks of a run, and writes down which are not as the answers said; what it takes
/// is in the counts.
///
/// # Errors
/// When they cannot be read or written, or the database cannot be reached or asked.
pub async fn count(
    place: Place,
    audit: &Audit,
    marks: Rows<MarkRow>,
    mut findings: Findings,
) -> Result<AuditCounts, AuditError> {
    let begun = Instant::now();
    let mut connection = connected(place).await?;
    let audit = audit.clone();
    let counted: Result<AuditCounts, AuditError> = within(MOST, async move {
        let stored = Stored::of(&mut connection, &audit).await?;
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(BEGIN).execute(&mut *transaction).await?;
        let mut counts = stored.copy(&mut transaction, marks).await?;
        stored.find(&mut transaction, "true").await?;
        let (different, lost, duplicated, unacknowledged, repeated): (i64, i64, i64, i64, i64) =
            sqlx::query_as(COUNTS).fetch_one(&mut *transaction).await?;
        let is_known = matches!(audit.mark, MarkPlace::Payload(_));
        counts.marks = different.unsigned_abs();
        counts.lost = lost.unsigned_abs();
        counts.duplicated = duplicated.unsigned_abs();
        counts.unacknowledged = is_known.then_some(unacknowledged.unsigned_abs());
        counts.repeated = repeated.unsigned_abs();
        for (finding, of_it) in [
            (Finding::Lost, "acknowledged > 0 AND there = 0"),
            (Finding::Duplicated, "there > 1"),
            (Finding::Unacknowledged, "acknowledged = 0 AND there > 0"),
        ] {
            let of_it = (finding, of_it);
            list(&mut transaction, &audit.endpoint, of_it, &mut findings).await?;
        }
        transaction.rollback().await?;
        findings.finish()?;
        Ok(counts)
    })
    .await?;
    Ok(AuditCounts { took_s: begun.elapsed().as_secs_f64(), ..counted? })
}

async fn connected(place: Place) -> Result<PgConnection, AuditError> {
    Ok(place.visit(|connection| async move { Ok(connection) }).await?)
}

/// All of a finding, by time, one at a time: as many as there are marks, if nothing was stored.
async fn list(
    connection: &mut PgConnection,
    endpoint: &str,
    (finding, of_it): (Finding, &str),
    findings: &mut Findings,
) -> Result<(), AuditError> {
    let statement = format!(
        "SELECT mark, second, there FROM pg_temp.replayer_audit_found WHERE {of_it} \
         ORDER BY second, mark"
    );
    let mut found = sqlx::query_as(AssertSqlSafe(statement)).fetch(connection);
    while let Some((mark, second, there)) = found.try_next().await? {
        let (second, there): (i64, i64) = (second, there);
        findings.push(&AuditRow {
            finding,
            second: second.unsigned_abs(),
            endpoint: endpoint.to_owned(),
            mark,
            rows: there.unsigned_abs(),
        })?;
    }
    Ok(())
}

/// Where marks stand.
struct Stored {
    /// Quoted.
    table: String,
    column: String,
    /// Within the column.
    path: Option<Vec<String>>,
    /// Postgres writes uuids in small letters, whoever made them.
    is_uuid: bool,
}

impl Stored {
    async fn of(connection: &mut PgConnection, audit: &Audit) -> Result<Self, AuditError> {
        let Audit { table, column, pointer, .. } = audit;
        let table_name = quoted_table(table);
        let columns = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
             WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let columns: Vec<(String, String)> =
            sqlx::query_as(columns).bind(&table_name).fetch_all(&mut *connection).await?;
        if columns.is_empty() {
            let (hint, known) = names(table, &tables(connection).await?);
            return Err(AuditError::NoTable { table: table.clone(), hint, known });
        }
        let Some((_, kind)) = columns.iter().find(|(name, _)| name == column) else {
            let all: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
            let (hint, known) = names(column, &all);
            let (table, column) = (table.clone(), column.clone());
            return Err(AuditError::NoColumn { table, column, hint, known });
        };
        if pointer.is_some() && !matches!(kind.as_str(), "json" | "jsonb") {
            return Err(AuditError::NotJson { column: column.clone(), kind: kind.clone() });
        }
        Ok(Self {
            table: table_name,
            column: quoted(column),
            path: pointer.as_deref().and_then(trace::pointer::tokens),
            is_uuid: pointer.is_none() && kind == "uuid",
        })
    }

    /// Sends the marks to the server; returns what is known of their requests without looking.
    async fn copy(
        &self,
        connection: &mut PgConnection,
        marks: Rows<MarkRow>,
    ) -> Result<AuditCounts, AuditError> {
        let mut counts = AuditCounts::default();
        let mut copy = connection.copy_in_raw(COPY).await?;
        let mut lines = Vec::with_capacity(2 * CHUNK);
        let mut unread = None;
        for row in marks {
            match row {
                Ok(row) => self.note(&row, &mut counts, &mut lines),
                Err(error) => {
                    unread = Some(error);
                    break;
                }
            }
            if lines.len() >= CHUNK {
                copy.send(&lines[..]).await?;
                lines.clear();
            }
        }
        if let Some(error) = unread {
            copy.abort("the marks cannot be read").await?;
            return Err(error.into());
        }
        copy.send(&lines[..]).await?;
        copy.finish().await?;
        Ok(counts)
    }

    /// Counts a request, and adds its mark to those that are sent, if it has one.
    fn note(&self, row: &MarkRow, counts: &mut AuditCounts, lines: &mut Vec<u8>) {
        let MarkRow { second, mark, outcome } = row;
        let is_acknowledged = *outcome == MarkOutcome::Acknowledged;
        match is_acknowledged {
            true => counts.acknowledged += 1,
            false => counts.failed += 1,
        }
        if mark.is_empty() {
            counts.unmarked += u64::from(is_acknowledged);
            return;
        }
        lines.extend_from_slice(second.to_string().as_bytes());
        lines.push(b'\t');
        match self.is_uuid {
            true => push_text(lines, &mark.to_ascii_lowercase()),
            false => push_text(lines, mark),
        }
        lines.extend_from_slice(if is_acknowledged { b"\tt\n" } else { b"\tf\n" });
    }

    /// Counts the rows that have each mark. With `false` for `looks` the table is not read, and
    /// the server says all the same whether it would be.
    async fn find(&self, connection: &mut PgConnection, looks: &str) -> Result<(), sqlx::Error> {
        let Self { table, column, path, .. } = self;
        let value = match path {
            Some(_) => format!("stored.{column} #>> $1"),
            None => format!("stored.{column}::text"),
        };
        let statement = format!(
            r#"INSERT INTO pg_temp.replayer_audit_found
             SELECT noted.mark, noted.second, noted.acknowledged, coalesce(found.there, 0)
             FROM (
                SELECT mark, min(second) AS second,
                    count(*) FILTER (WHERE acknowledged) AS acknowledged
                FROM pg_temp.replayer_audit_marks GROUP BY mark
             ) AS noted
             LEFT JOIN (
                SELECT mark, count(*) AS there
                FROM (SELECT ({value}) COLLATE "C" AS mark FROM {table} AS stored) AS marked
                WHERE {looks} AND mark IN (SELECT mark FROM pg_temp.replayer_audit_marks)
                GROUP BY mark
             ) AS found USING (mark)"#
        );
        let query = sqlx::query(AssertSqlSafe(statement));
        let query = match path {
            Some(path) => query.bind(path),
            None => query,
        };
        query.execute(connection).await?;
        Ok(())
    }
}

/// Tables that need no schema before their name.
async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let tables = "SELECT relname::text FROM pg_class
         JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(pg_class.oid)
            AND nspname NOT IN ('pg_catalog', 'information_schema')
         ORDER BY relname LIMIT 1000";
    sqlx::query_scalar(tables).fetch_all(connection).await
}

/// The one that was probably meant, and the first few of all.
fn names(name: &str, known: &[String]) -> (String, String) {
    let hint = nearest::hint(name, known.iter().map(String::as_str));
    let mut first: Vec<&str> = known.iter().take(MOST_NAMES).map(String::as_str).collect();
    match known.len() {
        0 => first.push("none"),
        count if count > MOST_NAMES => first.push("…"),
        _ => {}
    }
    (hint, first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_the_first_are_shown() {
        let known: Vec<String> = (0..30).map(|n| format!("table{n:02}")).collect();
        let (hint, shown) = names("tabel07", &known);
        assert!(hint.contains("did you mean table"), "{hint}");
        assert!(shown.starts_with("table00, ") && shown.ends_with("table19, …"), "{shown}");
        assert_eq!(names("x", &[]).1, "none");
    }
}
