//! Removals in schemas that chance made: tables, keys, delete rules, triggers, and rows of others
//! that refer to the plan's or have keys that its columns make. What has to become of each row is
//! worked out here, from the rows and the rules alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use cluster::testing::TestServer;
use common::exit::Exit;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config as Proptest, TestCaseError, TestRunner};
use seeder::apply::{self, Before, Present, Progress};
use seeder::clean::{self, Run};
use seeder::database::Database;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use tokio_util::sync::CancellationToken;

/// After this time no case begins: on a slow machine there are fewer.
const ENOUGH: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    NoAction,
    Deferred,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Debug)]
struct Key {
    child: usize,
    parent: usize,
    rule: Rule,
    composite: bool,
    /// NOT NULL; its rows refer to a row that is there before.
    required: bool,
    /// Whether the default is that row, and not null.
    default: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    None,
    /// Notes what is deleted.
    History,
    /// Keeps rows.
    Soft,
}

#[derive(Clone, Debug)]
struct Case {
    tables: usize,
    /// The first so many are the plan's, too.
    planned: usize,
    partitioned: Vec<bool>,
    keys: Vec<Key>,
    triggers: Vec<Trigger>,
    others: Vec<usize>,
    rows: Vec<u64>,
    /// Who comes to refer to whom once the plan is applied: key, row, row, and whether that is one
    /// of the plan's.
    links: Vec<(Index, Index, Index, bool)>,
    /// Which key's table a load is said to have filled, and whether rows are detached.
    load: Vec<(Index, bool)>,
    natural: Natural,
}

/// Keys that the plan's columns make.
#[derive(Clone, Debug)]
struct Natural {
    /// By table.
    tables: Vec<bool>,
    /// Rows of others that have some of them before the first apply.
    before: Vec<(Index, Index)>,
    /// Whether the plan adopts these, or they go away.
    adopted: bool,
    /// A row of others that has the next one, after it.
    later: Option<Index>,
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        1 => Just(Rule::NoAction),
        1 => Just(Rule::Deferred),
        1 => Just(Rule::Restrict),
        3 => Just(Rule::Cascade),
        2 => Just(Rule::SetNull),
        1 => Just(Rule::SetDefault),
    ]
}

fn naturals(tables: usize) -> impl Strategy<Value = Natural> {
    (
        proptest::collection::vec(any::<bool>(), tables),
        proptest::collection::vec(any::<(Index, Index)>(), 0..3),
        any::<bool>(),
        proptest::option::of(any::<Index>()),
    )
        .prop_map(|(tables, before, adopted, later)| Natural {
            tables,
            before,
            adopted,
            later,
        })
}

fn cases() -> impl Strategy<Value = Case> {
    (2..7_usize).prop_flat_map(|tables| {
        let key = (0..tables, 0..tables, rules(), any::<bool>(), 0..5_u8, any::<bool>());
        let trigger = prop_oneof![
            12 => Just(Trigger::None), 2 => Just(Trigger::History), 1 => Just(Trigger::Soft)
        ];
        (
            1..=tables.min(3),
            proptest::collection::vec(any::<bool>(), tables),
            proptest::collection::vec(key, 1..9),
            proptest::collection::vec(trigger, tables),
            proptest::collection::vec(0..5_usize, tables),
            proptest::collection::vec(1..4_u64, tables),
            proptest::collection::vec(any::<(Index, Index, Index, bool)>(), 0..14),
            proptest::collection::vec(any::<(Index, bool)>(), 0..3),
            naturals(tables),
        )
            .prop_map(
                move |(
                    planned,
                    partitioned,
                    keys,
                    triggers,
                    others,
                    rows,
                    links,
                    load,
                    natural,
                )| {
                    let partitioned: Vec<bool> = partitioned
                        .into_iter()
                        .enumerate()
                        .map(|(t, yes)| yes && t >= planned)
                        .collect();
                    let keys = keys.into_iter().map(
                        |(child, parent, rule, composite, chance, default)| Key {
                            child,
                            parent,
                            rule,
                            composite: composite || partitioned[parent],
                            // Rows that are there first have to refer to some that were there before.
                            required: chance == 0 && parent < child && child >= planned,
                            default,
                        },
                    );
                    Case {
                        tables,
                        planned,
                        keys: keys.collect(),
                        partitioned,
                        triggers,
                        others,
                        rows,
                        links,
                        load,
                        natural,
                    }
                },
            )
    })
}

/// One of them needs quotes.
fn name(table: usize) -> String {
    if table == 3 { "Table \"3\"".to_owned() } else { format!("t{table}") }
}

fn quoted(table: usize) -> String {
    format!("\"{}\"", name(table).replace('"', "\"\""))
}

/// The row of each table that was there before all others, and is nobody's.
fn first(table: usize) -> String {
    format!("00000000-0000-4000-8000-00000000000{table}")
}

/// The key of the n-th row of the plan's, where its columns make it.
fn natural(table: usize, n: u64) -> String {
    format!("1000000{table}-0000-4000-8000-00000000{n:04}")
}

impl Case {
    /// The plan's tables whose keys others may have.
    fn naturals(&self) -> Vec<usize> {
        (0..self.planned).filter(|table| self.natural.tables[*table]).collect()
    }

    /// Rows of others with keys of the plan's, by table and number.
    fn taken(&self) -> BTreeSet<(usize, u64)> {
        let tables = self.naturals();
        if tables.is_empty() {
            return BTreeSet::new();
        }
        let taken = self.natural.before.iter().map(|(table, n)| {
            let table = *table.get(&tables);
            let rows = usize::try_from(self.rows[table]).unwrap();
            (table, 1 + u64::try_from(n.index(rows)).unwrap())
        });
        taken.collect()
    }

    /// Another's row with the key of the plan's n-th.
    fn theirs(table: usize, n: u64) -> String {
        format!("INSERT INTO {} (id, tag) VALUES ('{}', {n});", quoted(table), natural(table, n))
    }

    fn schema(&self) -> String {
        let mut sql = String::from("CREATE TABLE history (t text);\n");
        for table in 0..self.tables {
            let name = quoted(table);
            let mut columns = String::from("id uuid NOT NULL, tag int NOT NULL");
            for (k, key) in self.keys.iter().enumerate().filter(|(_, key)| key.child == table) {
                let not_null = if key.required { "NOT NULL" } else { "" };
                let default = if key.default && key.rule == Rule::SetDefault {
                    format!("DEFAULT '{}'", first(key.parent))
                } else {
                    String::new()
                };
                let _ = write!(columns, ", k{k} uuid {not_null} {default}");
                if key.composite {
                    let default = if default.is_empty() { "" } else { "DEFAULT 0" };
                    let _ = write!(columns, ", k{k}_tag int {not_null} {default}");
                }
            }
            let _ = if self.partitioned[table] {
                writeln!(
                    sql,
                    "CREATE TABLE {name} ({columns}, PRIMARY KEY (id, tag)) PARTITION BY LIST (tag);
                     CREATE TABLE part_{table}_1 PARTITION OF {name} FOR VALUES IN (1);
                     CREATE TABLE part_{table}_2 PARTITION OF {name} DEFAULT;"
                )
            } else {
                writeln!(
                    sql,
                    "CREATE TABLE {name} ({columns}, PRIMARY KEY (id), UNIQUE (id, tag));"
                )
            };
        }
        for (k, key) in self.keys.iter().enumerate() {
            let rule = match key.rule {
                Rule::NoAction => "",
                Rule::Deferred => "DEFERRABLE INITIALLY DEFERRED",
                Rule::Restrict => "ON DELETE RESTRICT",
                Rule::Cascade => "ON DELETE CASCADE",
                Rule::SetNull => "ON DELETE SET NULL",
                Rule::SetDefault => "ON DELETE SET DEFAULT",
            };
            let (own, other) = if key.composite {
                (format!("k{k}, k{k}_tag"), "id, tag")
            } else {
                (format!("k{k}"), "id")
            };
            let (child, parent) = (quoted(key.child), quoted(key.parent));
            let _ = writeln!(
                sql,
                "ALTER TABLE {child} ADD FOREIGN KEY ({own}) REFERENCES {parent} ({other}) {rule};"
            );
        }
        for table in 0..self.tables {
            let (name, id) = (quoted(table), first(table));
            let keys = self.keys.iter().enumerate().filter(|(_, key)| key.child == table);
            let (mut columns, mut values) = (String::new(), String::new());
            for (k, key) in keys {
                let (row, tag) = match key.required {
                    true => (format!("'{}'", first(key.parent)), "0"),
                    false => ("NULL".to_owned(), "NULL"),
                };
                let _ = write!(columns, ", k{k}");
                let _ = write!(values, ", {row}::uuid");
                if key.composite {
                    let _ = write!(columns, ", k{k}_tag");
                    let _ = write!(values, ", {tag}::int");
                }
            }
            let _ = writeln!(
                sql,
                "INSERT INTO {name} (id, tag{columns}) VALUES ('{id}', 0{values});
                 INSERT INTO {name} (id, tag{columns})
                 SELECT gen_random_uuid(), n{values} FROM generate_series(1, {}) n;",
                self.others[table]
            );
            let _ = match self.triggers[table] {
                Trigger::None => Ok(()),
                Trigger::History => writeln!(
                    sql,
                    "CREATE FUNCTION f{table}() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN INSERT INTO history VALUES ('{table}'); RETURN OLD; END $$;
                     CREATE TRIGGER note AFTER DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION f{table}();"
                ),
                Trigger::Soft => writeln!(
                    sql,
                    "CREATE FUNCTION f{table}() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN RETURN NULL; END $$;
                     CREATE TRIGGER soft BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION f{table}();"
                ),
            };
        }
        sql
    }

    /// The rules of the load that a plan can have: what refers to the plan's, by columns that may
    /// be empty where they are emptied.
    fn load(&self) -> Vec<(usize, usize, bool)> {
        let of_plan: Vec<&Key> = self.keys.iter().filter(|key| key.parent < self.planned).collect();
        if of_plan.is_empty() {
            return Vec::new();
        }
        let load = self.load.iter().map(|(key, detach)| {
            let key = *key.get(&of_plan);
            let fixed = of_plan.iter().any(|other| {
                (other.child, other.parent) == (key.child, key.parent) && other.required
            });
            (key.child, key.parent, *detach && !fixed)
        });
        load.collect()
    }

    fn plan(&self, top: &str) -> String {
        let mut plan = format!("{top}\nname = 'chance'\nepoch = 2026-01-01T00:00:00Z\n");
        for table in 0..self.planned {
            let _ =
                writeln!(plan, "[[table]]\nname = {:?}\nrows = {}", name(table), self.rows[table]);
            let _ = writeln!(plan, "[table.columns]\ntag = \"n\"");
            if self.natural.tables[table] {
                let key = natural(table, 0);
                let key = key.strip_suffix("0000").unwrap();
                let _ = writeln!(plan, "id = \"'{key}' ~ pad(n, 4)\"");
            }
            for (k, key) in self.keys.iter().enumerate().filter(|(_, key)| key.child == table) {
                // To itself, to those that are there before it, or to nothing.
                let (row, tag) = match key.parent <= table {
                    true => {
                        let parent = name(key.parent);
                        (format!("ref('{parent}', 1)"), format!("ref('{parent}', 1, column='tag')"))
                    }
                    false => ("none".to_owned(), "none".to_owned()),
                };
                let _ = writeln!(plan, "k{k} = \"{row}\"");
                if key.composite {
                    let _ = writeln!(plan, "k{k}_tag = \"{tag}\"");
                }
            }
        }
        for (child, parent, detach) in self.load() {
            let action = if detach { "detach" } else { "delete" };
            let _ = writeln!(
                plan,
                "[[load]]\ntable = {:?}\nrefers_to = {:?}\naction = '{action}'",
                name(child),
                name(parent)
            );
        }
        plan
    }
}

/// A row by its table and id.
type Id = (usize, String);

#[derive(Clone, Debug, PartialEq)]
struct Row {
    tag: i64,
    /// By key: what it refers to.
    refers: BTreeMap<usize, String>,
}

type Rows = BTreeMap<Id, Row>;

/// What a removal has to do.
#[derive(Debug)]
struct Expected {
    left: Rows,
    counts: BTreeMap<usize, [u64; 6]>,
    history: usize,
}

const COUNTS: [&str; 6] = ["planned", "load", "cascaded", "detached", "set_null", "set_default"];

impl Case {
    /// None where it has to be refused.
    fn expected(&self, rows: &Rows, ours: &BTreeSet<Id>, allowed: &Allowed) -> Option<Expected> {
        let mut counts: BTreeMap<usize, [u64; 6]> = BTreeMap::new();
        let target =
            |row: &Row, k: usize| row.refers.get(&k).map(|id| (self.keys[k].parent, id.clone()));
        let keys = || self.keys.iter().enumerate();
        let mut left = rows.clone();
        let mut doomed: BTreeSet<Id> = ours.clone();
        for (id, row) in rows {
            let is_load = self.load().iter().any(|(child, parent, detach)| {
                !detach
                    && id.0 == *child
                    && keys().any(|(k, key)| {
                        (key.child, key.parent) == (*child, *parent)
                            && target(row, k).is_some_and(|target| ours.contains(&target))
                    })
            });
            if is_load && doomed.insert(id.clone()) {
                counts.entry(id.0).or_default()[1] += 1;
            }
        }
        for id in ours {
            counts.entry(id.0).or_default()[0] += 1;
        }
        for (child, parent, detach) in self.load() {
            for (k, _) in
                keys().filter(|(_, key)| detach && (key.child, key.parent) == (child, parent))
            {
                for (id, row) in left.iter_mut().filter(|(id, _)| id.0 == child) {
                    if !doomed.contains(id) && target(row, k).is_some_and(|id| ours.contains(&id)) {
                        row.refers.remove(&k);
                        counts.entry(child).or_default()[3] += 1;
                    }
                }
            }
        }
        loop {
            let more = left.iter().find(|(id, row)| {
                !doomed.contains(*id)
                    && keys().any(|(k, key)| {
                        let goes = match key.rule {
                            Rule::Cascade => true,
                            Rule::SetNull | Rule::SetDefault => false,
                            _ => allowed.cascade.contains(&name(key.child)),
                        };
                        goes && key.child == id.0
                            && target(row, k).is_some_and(|target| doomed.contains(&target))
                    })
            });
            let Some((id, _)) = more else { break };
            counts.entry(id.0).or_default()[2] += 1;
            let id = id.clone();
            if !allowed.cascade.contains(&name(id.0)) {
                return None;
            }
            doomed.insert(id);
        }
        for (id, row) in left.iter_mut().filter(|(id, _)| !doomed.contains(*id)) {
            for (k, key) in keys().filter(|(_, key)| key.child == id.0) {
                if !target(row, k).is_some_and(|target| doomed.contains(&target)) {
                    continue;
                }
                let default =
                    (key.default && key.rule == Rule::SetDefault).then(|| first(key.parent));
                match (key.rule, default) {
                    (Rule::SetDefault, Some(default)) => {
                        if doomed.contains(&(key.parent, default.clone())) {
                            return None;
                        }
                        row.refers.insert(k, default);
                        counts.entry(id.0).or_default()[5] += 1;
                    }
                    (Rule::SetNull | Rule::SetDefault, _) => {
                        if key.required {
                            return None;
                        }
                        row.refers.remove(&k);
                        counts.entry(id.0).or_default()
                            [if key.rule == Rule::SetNull { 4 } else { 5 }] += 1;
                    }
                    _ => return None,
                }
            }
        }
        let fired = |trigger| doomed.iter().filter(|id| self.triggers[id.0] == trigger).count();
        let history = fired(Trigger::History);
        if fired(Trigger::Soft) > 0 || history > 0 && !allowed.triggers.contains("history") {
            return None;
        }
        left.retain(|id, _| !doomed.contains(id));
        Some(Expected { left, counts, history })
    }
}

#[derive(Debug, Default)]
struct Allowed {
    cascade: BTreeSet<String>,
    triggers: BTreeSet<String>,
    adopt: BTreeSet<String>,
}

impl Allowed {
    fn lines(&self) -> String {
        format!(
            "cascade = {:?}\ntriggers = {:?}\nadopt = {:?}",
            Vec::from_iter(&self.cascade),
            Vec::from_iter(&self.triggers),
            Vec::from_iter(&self.adopt)
        )
    }

    /// Takes the line that a refusal names; whether there was one.
    fn take(&mut self, message: &str) -> bool {
        let mut found = false;
        for (key, set) in [
            ("cascade", &mut self.cascade),
            ("triggers", &mut self.triggers),
            ("adopt", &mut self.adopt),
        ] {
            let Some(at) = message.find(&format!("{key} = [")) else { continue };
            let line = &message[at..];
            let line = &line[..=line.find(']').unwrap()];
            let table: toml::Table = toml::from_str(line).unwrap();
            let named =
                table[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
            let before = set.len();
            set.extend(named);
            found |= set.len() > before;
        }
        found
    }
}

struct World<'a> {
    url: &'a str,
    folder: &'a Path,
    connection: PgConnection,
}

impl World<'_> {
    async fn execute(&mut self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection).await;
        done.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    async fn rows(&mut self, case: &Case) -> Rows {
        let tables = (0..case.tables).map(|table| {
            format!("SELECT {table}::bigint, to_jsonb(t)::text FROM {} t", quoted(table))
        });
        let query = tables.collect::<Vec<_>>().join(" UNION ALL ");
        let found =
            sqlx::query(AssertSqlSafe(query)).fetch_all(&mut self.connection).await.unwrap();
        let rows = found.iter().map(|found| {
            let table = usize::try_from(found.get::<i64, _>(0)).unwrap();
            let row: Value = serde_json::from_str(found.get(1)).unwrap();
            let refers = (0..case.keys.len())
                .filter_map(|k| Some((k, row.get(format!("k{k}"))?.as_str()?.to_owned())));
            let id = row["id"].as_str().unwrap().to_owned();
            ((table, id), Row { tag: row["tag"].as_i64().unwrap(), refers: refers.collect() })
        });
        rows.collect()
    }

    async fn history(&mut self) -> usize {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM history")
            .fetch_one(&mut self.connection)
            .await
            .unwrap();
        usize::try_from(count).unwrap()
    }

    async fn clean(&self, run: Run) -> Result<clean::Summary, seeder::Error> {
        let config = clean::Config {
            plan: self.folder.join("plan.toml"),
            database: Database::pin(self.url, &[]).unwrap(),
            manifest: self.folder.join("manifest.json"),
            marks: Vec::new(),
            seed: None,
            scale: 1,
            since: None,
            run,
            confirmed: false,
        };
        Ok(clean::clean(&config, &CancellationToken::new()).await?)
    }

    async fn apply(&self, scale: u32) -> Result<apply::Summary, seeder::Error> {
        let config = apply::Config {
            plan: self.folder.join("plan.toml"),
            database: Database::pin(self.url, &[]).unwrap(),
            manifest: self.folder.join("manifest.json"),
            seed: None,
            now: None,
            scale,
            before: Before::Keep,
            present: Present::Keep,
            confirmed: false,
            progress: Progress::Silent,
        };
        Ok(apply::apply(&config, &CancellationToken::new()).await?)
    }

    /// Rows under keys of the plan's are others': neither `apply` nor, where nothing is known of
    /// an earlier apply, `clean` does anything. What they say.
    async fn is_theirs(&mut self, case: &Case, scale: u32) -> Result<Vec<String>, TestCaseError> {
        let before = self.rows(case).await;
        let mut said = vec![refusal(self.apply(scale).await)?];
        if !self.folder.join("manifest.json").exists() {
            for run in [Run::Dry, Run::Real] {
                said.push(refusal(self.clean(run).await)?);
            }
        }
        prop_assert_eq!(self.rows(case).await, before);
        prop_assert_eq!(self.history().await, 0);
        Ok(said)
    }

    /// Rows of others that have keys of the plan's before it is applied. Those that stay, since
    /// the plan adopts them.
    async fn meet(
        &mut self,
        case: &Case,
        allowed: &mut Allowed,
        seen: &mut Seen,
    ) -> Result<BTreeSet<Id>, TestCaseError> {
        let taken = case.taken();
        if taken.is_empty() {
            return Ok(BTreeSet::new());
        }
        for (table, n) in &taken {
            self.execute(&Case::theirs(*table, *n)).await;
        }
        for said in self.is_theirs(case, 1).await? {
            let mut named = Allowed::default();
            prop_assert!(named.take(&said), "{}", said);
            prop_assert_eq!(named.adopt, taken.iter().map(|(table, _)| name(*table)).collect());
        }
        seen.met += 1;
        let ids = taken.iter().map(|(table, n)| (*table, natural(*table, *n)));
        if case.natural.adopted {
            allowed.adopt = taken.iter().map(|(table, _)| name(*table)).collect();
            return Ok(ids.collect());
        }
        // Triggers may note it or keep the row.
        self.execute("SET session_replication_role = replica").await;
        for (table, id) in ids {
            self.execute(&format!("DELETE FROM {} WHERE id = '{id}'", quoted(table))).await;
        }
        self.execute("SET session_replication_role = origin").await;
        Ok(BTreeSet::new())
    }

    /// Rows that come later have the keys of a larger plan, and without its manifest nothing is
    /// known to be the plan's.
    async fn meet_later(
        &mut self,
        case: &Case,
        allowed: &Allowed,
        seen: &mut Seen,
    ) -> Result<(), TestCaseError> {
        let tables = case.naturals();
        let tables: Vec<usize> =
            tables.into_iter().filter(|table| !allowed.adopt.contains(&name(*table))).collect();
        if tables.is_empty() {
            return Ok(());
        }
        if let Some(later) = case.natural.later {
            let table = *later.get(&tables);
            self.execute(&Case::theirs(table, case.rows[table] + 1)).await;
            self.is_theirs(case, 2).await?;
            seen.met_later += 1;
        }
        let (manifest, away) = (self.folder.join("manifest.json"), self.folder.join("away.json"));
        std::fs::rename(&manifest, &away).unwrap();
        self.is_theirs(case, 1).await?;
        std::fs::rename(&away, &manifest).unwrap();
        Ok(())
    }

    /// Lets rows refer to others, as the case has it; what its rules refuse is left out.
    async fn link(&mut self, case: &Case, rows: &Rows, ours: &BTreeSet<Id>) {
        for (key, from, to, to_ours) in &case.links {
            let k = key.index(case.keys.len());
            let key = &case.keys[k];
            let of = |table: usize, own: bool| -> Vec<&Id> {
                rows.keys().filter(|id| id.0 == table && ours.contains(*id) == own).collect()
            };
            let (from_rows, to_rows) = (of(key.child, false), of(key.parent, *to_ours));
            if to_rows.is_empty() {
                continue;
            }
            let (from, to) = (*from.get(&from_rows), *to.get(&to_rows));
            let tag = match key.composite {
                true => format!(", k{k}_tag = {}", rows[to].tag),
                false => String::new(),
            };
            let update = format!(
                "UPDATE {} SET k{k} = '{}'{tag} WHERE id = '{}'",
                quoted(key.child),
                to.1,
                from.1
            );
            self.execute(&update).await;
        }
    }

    async fn check(&mut self, case: &Case, seen: &mut Seen) -> Result<(), TestCaseError> {
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        self.execute(&case.schema()).await;
        let _ = std::fs::remove_file(self.folder.join("manifest.json"));
        let mut allowed = Allowed::default();
        let write = |plan: String| std::fs::write(self.folder.join("plan.toml"), plan).unwrap();
        write(case.plan(""));
        let adopted = self.meet(case, &mut allowed, seen).await?;
        write(case.plan(&allowed.lines()));
        let mut before = self.rows(case).await;
        before.retain(|id, _| !adopted.contains(id));
        if let Err(error) = self.apply(1).await {
            return Err(TestCaseError::fail(format!(
                "apply: {}",
                common::exit::one_line("", &error)
            )));
        }
        let applied = self.rows(case).await;
        let ours: BTreeSet<Id> =
            applied.keys().filter(|id| !before.contains_key(*id)).cloned().collect();
        self.meet_later(case, &allowed, seen).await?;
        let applied = self.rows(case).await;
        before.extend(
            applied
                .iter()
                .filter(|(id, _)| !ours.contains(*id))
                .map(|(id, row)| (id.clone(), row.clone())),
        );
        self.link(case, &applied, &ours).await;
        let now = self.rows(case).await;
        for _ in 0..12 {
            std::fs::write(self.folder.join("plan.toml"), case.plan(&allowed.lines())).unwrap();
            let expected = case.expected(&now, &ours, &allowed);
            let dry = self.clean(Run::Dry).await;
            prop_assert_eq!(&self.rows(case).await, &now, "a dry run changes nothing");
            prop_assert_eq!(self.history().await, 0);
            let done = self.clean(Run::Real).await;
            match (dry, done, expected) {
                (Ok(dry), Ok(done), Some(expected)) => {
                    prop_assert_eq!(&self.rows(case).await, &expected.left);
                    prop_assert_eq!(self.history().await, expected.history);
                    let told = |summary: &clean::Summary| told(summary, case);
                    prop_assert_eq!(told(&dry), told(&done));
                    let counts = expected.counts.into_iter();
                    let counts: BTreeMap<_, _> =
                        counts.filter(|(_, counts)| *counts != [0; 6]).collect();
                    prop_assert_eq!(told(&done), counts);
                    // Nobody referred to the plan's rows: all is as it was.
                    if now.iter().all(|(id, row)| before.get(id).is_none_or(|then| then == row)) {
                        prop_assert_eq!(&self.rows(case).await, &before);
                        seen.as_before += 1;
                    }
                    seen.cleaned += 1;
                    return Ok(());
                }
                (Err(dry), Err(done), None) => {
                    let words = |error: &seeder::Error| common::exit::one_line("seeder", error);
                    prop_assert_eq!(words(&dry), words(&done));
                    prop_assert_eq!(done.exit(), Exit::Refused, "{}", words(&done));
                    prop_assert_eq!(&self.rows(case).await, &now, "a refusal changes nothing");
                    prop_assert_eq!(self.history().await, 0);
                    seen.refused += 1;
                    if !allowed.take(&words(&done)) {
                        seen.for_good += 1;
                        // What no line of these allows: rows that stay, and what the database refuses.
                        let told = ["soft_delete = [", "the database refuses"];
                        prop_assert!(
                            told.iter().any(|told| words(&done).contains(told)),
                            "{}",
                            words(&done)
                        );
                        return Ok(());
                    }
                }
                (dry, done, expected) => {
                    return Err(TestCaseError::fail(format!(
                        "{allowed:?}: expected {expected:?}, dry {dry:?}, done {done:?}"
                    )));
                }
            }
        }
        Err(TestCaseError::fail("the lines that are named do not help"))
    }
}

/// What a refusal says.
fn refusal<T: std::fmt::Debug>(done: Result<T, seeder::Error>) -> Result<String, TestCaseError> {
    let Err(error) = done else {
        return Err(TestCaseError::fail(format!("it was not refused: {done:?}")));
    };
    prop_assert_eq!(error.exit(), Exit::Refused, "{:?}", error);
    Ok(common::exit::one_line("seeder", &error))
}

fn told(summary: &clean::Summary, case: &Case) -> BTreeMap<usize, [u64; 6]> {
    let removed: Value = serde_json::to_value(&summary.removed).unwrap();
    let tables = removed.as_array().unwrap().iter().filter_map(|entry| {
        let table = (0..case.tables).find(|table| entry["table"] == name(*table).as_str())?;
        Some((table, COUNTS.map(|what| entry[what].as_u64().unwrap())))
    });
    tables.filter(|(_, counts)| *counts != [0; 6]).collect()
}

/// What the cases came to: they have to reach all of it.
#[derive(Debug, Default)]
struct Seen {
    cleaned: u32,
    as_before: u32,
    refused: u32,
    for_good: u32,
    /// Rows of others with keys of the plan's.
    met: u32,
    met_later: u32,
}

#[test]
fn in_any_schema_rows_of_others_are_as_they_were_or_nothing_is_removed() {
    let server = TestServer::start().unwrap();
    let database = server.database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connection = runtime.block_on(PgConnection::connect(database.url())).unwrap();
    let world = World { url: database.url(), folder: folder.path(), connection };
    let world = std::cell::RefCell::new((world, Seen::default()));
    let began = Instant::now();
    let config = Proptest {
        cases: 400,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Proptest::default()
    };
    let done = TestRunner::new(config).run(&cases(), |case| {
        if began.elapsed() > ENOUGH {
            return Ok(());
        }
        let (world, seen) = &mut *world.borrow_mut();
        runtime.block_on(world.check(&case, seen))
    });
    let (_, seen) = world.into_inner();
    println!("{seen:?}");
    if let Err(error) = done {
        panic!("{error}");
    }
    let Seen { cleaned, refused, met, met_later, .. } = seen;
    assert!([cleaned, refused, met, met_later].iter().all(|cases| *cases > 0), "{seen:?}");
}
