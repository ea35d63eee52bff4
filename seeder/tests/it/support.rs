//! A database with the reference target's schema, and the tool run on it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::testing::{TestDatabase, TestServer};

/// A path of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

pub(crate) struct Vigilia<'a> {
    database: TestDatabase<'a>,
    folder: tempfile::TempDir,
}

impl<'a> Vigilia<'a> {
    pub(crate) fn new(server: &'a TestServer) -> Self {
        let vigilia = Self::empty(server);
        let folder = std::fs::read_dir(repository("fixtures/target/migrations")).unwrap();
        let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension() == Some(OsStr::new("sql"))) {
            vigilia.database.run_file(file).unwrap();
        }
        vigilia
    }

    pub(crate) fn empty(server: &'a TestServer) -> Self {
        Self { database: server.database().unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn run_file(&self, path: &Path) {
        self.database.run_file(path).unwrap();
    }

    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder().join("manifest.json")
    }

    /// Writes a plan into the folder.
    pub(crate) fn plan(&self, text: &str) -> PathBuf {
        let path = self.folder().join("plan.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn apply(&self, more: &[&str]) -> Output {
        self.apply_plan(&repository("fixtures/plans/vigilia.toml"), more)
    }

    pub(crate) fn apply_plan(&self, plan: &Path, more: &[&str]) -> Output {
        let mut arguments: Vec<PathBuf> = vec!["--database-url".into(), self.url().into()];
        arguments.extend(["--plan".into(), plan.into(), "--manifest".into(), self.manifest()]);
        arguments.extend(more.iter().map(PathBuf::from));
        self.seeder("apply", arguments)
    }

    pub(crate) fn seeder(
        &self,
        command: &str,
        arguments: impl IntoIterator<Item = PathBuf>,
    ) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_seeder"))
            .arg(command)
            .args(arguments)
            .current_dir(self.folder())
            .env_remove("DATABASE_URL")
            .output()
            .unwrap();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// How many rows there are in `SELECT FROM …`.
    pub(crate) fn count(&self, of: &str) -> i64 {
        let of = if of.starts_with('(') { format!("{of} AS t") } else { of.to_owned() };
        self.rows(&format!("SELECT count(*)::text FROM {of}"))[0].parse().unwrap()
    }

    pub(crate) fn execute(&self, statements: &str) {
        self.rows(statements);
    }

    /// The first column of every row, as text.
    pub(crate) fn rows(&self, query: &str) -> Vec<String> {
        rows(self.url(), query)
    }

    /// Of each table of the database what all its rows come to.
    pub(crate) fn checksums(&self) -> Vec<String> {
        let tables = self.rows(
            "SELECT oid::regclass::text FROM pg_class
             WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND NOT relispartition
               AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
             ORDER BY 1",
        );
        let sums = tables.iter().flat_map(|table| {
            self.rows(&format!(
                "SELECT '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '')
                 FROM {table} t"
            ))
        });
        sums.collect()
    }

    /// Every row of the plan's tables, the columns that the database fills aside.
    pub(crate) fn state(&self) -> Vec<String> {
        let tables =
            "agencies users buildings resources personnel vehicles equipment alerts incidents";
        let mut state = Vec::new();
        for table in tables.split(' ') {
            // What others put there is not compared here.
            let own = match table {
                "agencies" => "code = 'LOADTEST'",
                "users" => "email LIKE '%@test.eriop.example'",
                "alerts" | "incidents" => "title <> 'Other'",
                _ => "true",
            };
            let clock = match table {
                "alerts" | "incidents" => "",
                _ => " - 'created_at' - 'updated_at'",
            };
            state.extend(self.rows(&format!(
                "SELECT '{table} ' || (to_jsonb(t){clock})::text FROM {table} t WHERE {own} ORDER BY id"
            )));
        }
        state
    }
}

pub(crate) fn rows(url: &str, query: &str) -> Vec<String> {
    try_rows(url, query).unwrap()
}

pub(crate) fn try_rows(url: &str, query: &str) -> Result<Vec<String>, sqlx::Error> {
    use sqlx::{Connection, PgConnection, Row};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let query = sqlx::raw_sql(sqlx::AssertSqlSafe(query.to_owned()));
        let rows = query.fetch_all(&mut connection).await?;
        Ok(rows.iter().map(|row| row.try_get(0).unwrap()).collect())
    })
}

/// How a run of the tool ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Ends with this code, one line on stderr and nothing on stdout.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert_eq!(self.stdout, "");
        self
    }
}
