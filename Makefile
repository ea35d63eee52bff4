# Record-and-replay load tests, from an empty machine to a filled report.
# The steps are in fixtures/steps/run.sh; this file says what needs what.

# Yours instead of the embedded Postgres and the reference target:
#   make seed DATABASE_URL=postgres://… TARGET=http://…
# One scenario, or the full load:
#   make replay SCENARIO=stress PROFILE=full
# A page that shows it as it goes, at 127.0.0.1:8089 or another address:
#   make replay LIVE=1
# Another request in the place of one that your target does not have, and failures recorded as they are:
#   make record replay REWRITES=fixtures/rewrites/vigilia-incidents.toml ALLOW_FAILURES=1

SHELL := bash
RUN := fixtures/steps/run.sh

# The order of the lines below is the order that `make` lists them in.
.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@$(MAKE) --no-print-directory rust

.PHONY: setup
setup: rust ## install what is missing: Postgres, Python packages for the checks, rustfmt, clippy
	@fixtures/steps/setup.sh

.PHONY: db
db: build ## start the embedded Postgres (nothing to do where DATABASE_URL is set)
	@$(RUN) db

.PHONY: target
target: build ## start the reference target and print its URL (TARGET if that is set)
	@$(RUN) target

.PHONY: seed
seed: build ## put the data back to how the plan has it, write .local/manifest.json
	@$(RUN) seed

.PHONY: record
record: build ## record simulated personas into .local/traces; PERSONAS=FILE, REWRITES=FILE, ALLOW_FAILURES=1
	@$(RUN) record

.PHONY: replay
replay: build ## replay the recording by SCENARIO (default all) and PROFILE (quick, full); REWRITES=FILE, LIVE=1
	@$(RUN) replay

.PHONY: report
report: build ## fill load-test-report.md from .local/runs
	@$(RUN) report

.PHONY: demo
# Without the fleet, whose connection to NATS takes a while to compile.
demo: FEATURES = --no-default-features
demo: build ## all of the above, scaled down, in under 3 minutes
	@PROFILE=quick $(RUN) suite

.PHONY: fleet-demo
fleet-demo: build ## a lead, four workers and a NATS server on this machine, in under a minute after the build
	@fixtures/steps/fleet_demo.sh

.PHONY: load-test
load-test: build ## the same at full users and length, in about an hour
	@PROFILE=full $(RUN) suite

.PHONY: test
test: setup ## all tests, then a small load test from end to end with its figures recomputed
	@fixtures/steps/test.sh

.PHONY: lint
lint: setup ## formatting, lints and files that import each other in a loop, warnings denied
	@cargo fmt --all --check
	@fixtures/checks/circles.py --self-test
	@fixtures/checks/circles.py
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@cargo tree --locked --quiet --manifest-path fixtures/fuzz/Cargo.toml >/dev/null
	@if command -v shellcheck >/dev/null; then shellcheck -x .ci/run fixtures/steps/{run,setup,test,own_backend,fleet_demo}.sh deploy/{check,image,secrets}.sh fixtures/{checks,clients,imports}/*.sh fixtures/foreign/{run,drafts,new_user}.sh fixtures/page/{run,live}.sh; fi

.PHONY: deny
deny: rust ## what comes from others: licences, sources, doubled libraries
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked
	@cargo deny --locked check bans licenses sources

.PHONY: bench
bench: bench-seed bench-proxy bench-replay bench-open bench-users bench-search bench-answers bench-large bench-target bench-tools bench-growth bench-observe bench-live bench-report bench-merge bench-fleet ## all benchmarks there are

.PHONY: bench-seed
bench-seed: build ## the seeder against psql's copy of the same rows, and its memory at two scales
	@fixtures/bench/seed.py

.PHONY: test-clients
test-clients: build ## personas, curl, Locust and a browser through the proxy, replayed and compared
	@fixtures/clients/run.sh

.PHONY: test-foreign
test-foreign: build ## applications of others, installed from registries, recorded and replayed; APP=redmine for one
	@fixtures/foreign/run.sh $(APP)

.PHONY: test-new-user
test-new-user: build ## README's "Your own application", its commands run in an empty folder with Directus and a browser
	@fixtures/foreign/new_user.sh

.PHONY: test-drafts
test-drafts: build ## plans drafted from schemas that others wrote, applied, verified, cleaned; APP=wagtail for one
	@fixtures/foreign/drafts.sh $(APP)

.PHONY: test-secrets
test-secrets: build ## 500 marked secrets through all that writes, then looked for in every file; SEED=N repeats one
	@python3 fixtures/secrets --bin "$${CARGO_TARGET_DIR:-target}/release" $(if $(SEED),--seed $(SEED))

.PHONY: test-logins
test-logins: build ## hashes of the seeder, accepted by Django, Werkzeug, argon2-cffi and bcrypt, and theirs by it
	@.local/venv/bin/python fixtures/logins

.PHONY: test-hostile
test-hostile: build ## files, peers, signals and limits that mean harm, in thousands of cases; SEED=N repeats one, ONLY=TEXT picks
	@python3 fixtures/hostile --bin "$${CARGO_TARGET_DIR:-target}/release" $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)")

.PHONY: test-faults
test-faults: build ## a target that goes wrong in eight ways while a load goes on: is it told what, and since when
	@.local/venv/bin/python fixtures/faults --bin "$${CARGO_TARGET_DIR:-target}/release" --work .local/faults

.PHONY: test-deploy
test-deploy: ## image, compose file with podman and runc, Kubernetes manifests and systemd units of deploy/; as root, not in CI
	@deploy/check.sh

.PHONY: test-page
test-page: ## the page of the report that was filled last, in a browser: values, zoom, keys, sorting, light and dark, axe
	@fixtures/page/run.sh $(PAGE)

.PHONY: test-live
test-live: build ## the live view of a run in a browser, by promtool and a Prometheus; how long and wide it may get
	@fixtures/page/live.sh

.PHONY: audit
audit: build ## a second observer beside every figure of the replayer; SHORT=1 for what CI has time for
	@audit=".local/venv/bin/python fixtures/audit/audit.py"; failed=0; \
	$$audit $(if $(SHORT),--short) || failed=1; \
	for what in freezes slow; do $$audit $$what --count $(if $(SHORT),4,50) || failed=1; done; exit $$failed

.PHONY: test-audited
test-audited: build ## 300,000 ingests, of which a target loses, doubles and resets some: what the audit lists, beside target and table
	@fixtures/checks/audited.py --bin "$${CARGO_TARGET_DIR:-target}/release"

.PHONY: fuzz
fuzz: setup ## what reads bytes of others, on inputs made to break it, for ten minutes each
	@fixtures/checks/fuzz.sh

.PHONY: bench-proxy
bench-proxy: build ## the recording proxy against nginx and mitmdump, and its memory
	@fixtures/bench/proxy.py
	@fixtures/bench/proxy_memory.py

.PHONY: bench-replay
bench-replay: build ## the replayer's processor time a request beside its peers'
	@fixtures/bench/replay.py

.PHONY: bench-open
bench-open: build ## the replayer by an open schedule: in time, and at what cost
	@fixtures/bench/open.py

.PHONY: bench-users
bench-users: build ## 10,000 and 19,000 users of one replayer, 2,000 to 30,000 of two
	@fixtures/bench/users.py

.PHONY: bench-search
bench-search: build ## the search of the highest load, on targets whose limit is known
	@fixtures/bench/search.py

.PHONY: bench-answers
bench-answers: build ## what users cost in memory where answers are large
	@fixtures/bench/answers.py

.PHONY: bench-target
bench-target: build ## what the reference target holds
	@fixtures/bench/target.py

.PHONY: bench-tools
bench-tools: build ## an access log of a million lines, and ten million requests inspected, checked, cut, merged
	@mkdir -p .local
	@fixtures/bench/tools.py

.PHONY: bench-large
bench-large: build ## a trace of a million requests: read, and begun
	@fixtures/bench/large.py

.PHONY: bench-growth
bench-growth: build ## how the replayer's cost grows with users, rate, endpoints, length of the trace
	@mkdir -p .local
	@fixtures/bench/growth.py

.PHONY: bench-observe
bench-observe: build ## what observing costs the target's database and the generator
	@fixtures/bench/observe.py

.PHONY: bench-live
bench-live: build ## what ten viewers of the live view cost the generator, one of whom reads nothing
	@fixtures/bench/live.py

.PHONY: bench-report
bench-report: build ## the reporter on runs as long and as wide as they get, its memory, and the size of the page
	@.local/venv/bin/python fixtures/bench/report.py

.PHONY: bench-merge
bench-merge: build ## what adding up 2 to 16 shards of a run takes
	@fixtures/bench/merge.py

.PHONY: clean
clean: rust ## stop what was started and remove what was made, the build aside
	@$(RUN) clean
	@WORK=.local/test REPORT=.local/test/load-test-report.md $(RUN) clean

# Not listed: what the targets above are made of.

.PHONY: bench-fleet
bench-fleet: build ## a fleet on this machine: how far apart its parts begin, how often a trace is sent, how many workers a lead holds
	@.local/venv/bin/python -c 'import nats' 2>/dev/null || .local/venv/bin/pip install --quiet --disable-pip-version-check nats-py
	@.local/venv/bin/python fixtures/bench/fleet.py

.PHONY: build
build: setup
	@cargo build --release --locked --workspace $(FEATURES)

.PHONY: stop
stop:
	@$(RUN) stop

.PHONY: rust
rust:
	@command -v cargo >/dev/null || { \
	  echo "Rust is missing. This installs it (see https://rustup.rs); then open a new shell:" >&2; \
	  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" >&2; \
	  exit 4; }
