//! What a transaction has done to each table so far, whoever did it: the server counts rows that
//! triggers insert, change and delete like all others.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::removed::Effect;

/// By table. Those of partitions count as their table's.
pub(super) type Effects = BTreeMap<u32, Effect>;

/// Since the session began, more or less: what counts is the difference of two. None where the
/// server does not count (`track_counts`).
pub(super) async fn so_far(connection: &mut PgConnection) -> Result<Option<Effects>, sqlx::Error> {
    let counts: bool = sqlx::query_scalar("SELECT current_setting('track_counts')::boolean")
        .fetch_one(&mut *connection)
        .await?;
    if !counts {
        return Ok(None);
    }
    let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT coalesce(pg_partition_root(oid), oid)::oid::bigint,
                sum(inserted)::bigint, sum(updated)::bigint, sum(deleted)::bigint
         FROM pg_class, LATERAL (
             SELECT pg_stat_get_xact_tuples_inserted(oid) AS inserted,
                    pg_stat_get_xact_tuples_updated(oid) AS updated,
                    pg_stat_get_xact_tuples_deleted(oid) AS deleted) counts
         WHERE relkind = 'r' AND relpersistence <> 't' AND inserted + updated + deleted > 0
           AND relnamespace <> 'pg_catalog'::regnamespace
         GROUP BY 1",
    )
    .fetch_all(connection)
    .await?;
    let effects = rows.into_iter().map(|(table, inserted, updated, deleted)| {
        let number = |count| u64::try_from(count).unwrap_or_default();
        let (inserted, changed, deleted) = (number(inserted), number(updated), number(deleted));
        (u32::try_from(table).unwrap_or_default(), Effect { inserted, changed, deleted })
    });
    Ok(Some(effects.collect()))
}

/// What was done between the two beyond what was expected.
pub(super) fn unexpected(before: &Effects, after: &Effects, expected: &Effects) -> Effects {
    let of = |effects: &Effects, table| effects.get(table).copied().unwrap_or_default();
    let beyond = after.iter().map(|(table, now)| {
        let (then, known) = (of(before, table), of(expected, table));
        let more = |now: u64, then: u64, known: u64| now.saturating_sub(then).saturating_sub(known);
        let effect = Effect {
            inserted: more(now.inserted, then.inserted, known.inserted),
            changed: more(now.changed, then.changed, known.changed),
            deleted: more(now.deleted, then.deleted, known.deleted),
        };
        (*table, effect)
    });
    beyond.filter(|(_, effect)| !effect.is_nothing()).collect()
}
