//! The plan: which tables get which rows, from which expressions.
//!
//! ```toml
//! name = "shop"                      # ids of the rows derive from it
//! seed = 42                          # values do; --seed overrides it
//! epoch = 2026-01-01T00:00:00Z       # what now() is
//!
//! [constants]                        # not called as a column, a function, n or group is
//! password = "TestPass123456!"
//!
//! [[table]]
//! name = "users"                     # or "schema.users"
//! scale = true                       # false: as many at any --scale
//! shared = false                     # true: rows that are there are used, and none of others is removed
//! key = ["email"]                    # tells rows apart; default the primary key
//! [table.columns]                    # a string is an expression
//! hashed_password = "bcrypt(password, 4)"
//! is_active = true
//! [[table.group]]                    # or, without groups, rows = 100 of the table
//! name = "customer"
//! rows = 100
//! [table.group.columns]
//! email = "'customer' ~ n ~ '@shop.example'"
//!
//! [[accounts]]
//! persona = "Customer"
//! of = "users.customer"
//! name = "'customer' ~ n"
//! fields = { id = "id", email = "email", password = "password" }
//!
//! [login]                            # where verify --target logs in; several requests: [[login]]
//! request = "POST /api/login"        # the words of personas files
//! body = { email = "{{ account.email }}", password = "{{ account.password }}" }
//! capture = { token = "/access_token" }  # where the token is
//! # or, as a browser does it:        form = { username = "{{ account.email }}", … }
//! #                                  page = "/login" (whose hidden fields are sent along),
//! #                                  cookie = "sessionid" (that a good answer sets)
//!
//! [[load]]                           # what a load leaves, for clean and --reset
//! table = "orders"
//! refers_to = "users"                # rows that refer to the plan's users
//! action = "delete"                  # or "detach": keep the row, empty the reference
//!
//! [[load]]
//! table = "events"                   # rows with a value of the plan's users, in any case
//! equals = { column = "details.email", of = "users.email" }   # "details": anywhere in that JSON
//! # like = { column = "source", pattern = "load %" }     SQL's LIKE, where there is no better
//! since = "created_at"               # only rows since the first apply (without a zone: UTC)
//! # also = "older"                   or those from before it, too
//!
//! [[load]]
//! table = "alerts"                   # rows that have a mark of an audited run, where that is given
//! marked = "raw_payload.mark"        # to clean --marks: the key in that JSON, or a column
//! # since = "created_at"             only those since the run began; needed where the target made
//! #                                  the marks, as ids are
//! ```
//!
//! What a removal would do to rows of others, by foreign keys or triggers, stops it, unless the
//! plan has these lines at its top:
//!
//! ```toml
//! cascade = ["comments"]             # rows of these that refer to removed ones go with them
//! triggers = ["history"]             # triggers may insert, change or delete rows of these
//! soft_delete = ["users"]            # rows of these may stay, marked by a trigger
//! ```
//!
//! A row that is there under a key of the plan's is the plan's where the seeder made its uuid, where
//! its key refers to such a row, or where a manifest says that an apply put it there. Any other may
//! be somebody's, however much it looks like the plan's: nothing is inserted and nothing removed,
//! unless the plan has this line, as it needs for a table whose key the seeder does not make, or
//! makes a number, when the manifest is lost:
//!
//! ```toml
//! adopt = ["users"]                  # rows under the plan's keys are the plan's, and go with it
//! ```
//!
//! What stands in it is checked here as far as it can be without a database:
//! keys, names that refer to each other, counts. Columns and expressions are
//! checked against the schema (see `rows`).

mod login;
mod model;
mod read;
mod resolve;
mod template;
mod typed;

pub use login::{Content as LoginContent, Login, Step as LoginStep};
pub use model::{
    Accounts, Allowed, Cell, Content, Group, LoadRows, Named, Plan, PlanError, Table, Which,
};
pub use template::{Template, Values};
