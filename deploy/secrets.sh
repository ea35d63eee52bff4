#!/usr/bin/env bash
# Makes what is secret of a fleet, into deploy/secrets: secrets.sh MANIFEST HOST… names the file of the
# accounts and what NATS is called by those who connect to it. A certificate of an authority that is
# gone afterwards, and a password for each role.
set -euo pipefail
cd "$(dirname "$0")/.."
. fixtures/steps/common.sh

[ $# -ge 2 ] || fail 2 "usage: $0 MANIFEST HOST… (such as manifest.json nats.example)"
manifest=$1
shift
[ -r "$manifest" ] || fail 2 "$manifest cannot be read"
out=${SECRETS:-deploy/secrets}
umask 077
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

named=()
for host in "$@"; do
  case $host in
    *[!0-9.:]*) named+=("DNS:$host") ;;
    *) named+=("IP:$host") ;;
  esac
done
printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n' \
  "$(IFS=,; echo "${named[*]}")" >"$work/server.ext"
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
{
  openssl req -x509 "${key[@]}" -days 365 -subj "/CN=fleet authority" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$work/ca.key" -out "$out/ca.pem"
  openssl req -new "${key[@]}" -subj "/CN=nats" -keyout "$out/tls.key" -out "$work/server.csr"
  openssl x509 -req -days 365 -in "$work/server.csr" -CA "$out/ca.pem" -CAkey "$work/ca.key" \
    -CAcreateserial -CAserial "$work/ca.srl" -extfile "$work/server.ext" -out "$out/tls.crt"
} 2>"$work/openssl.log" || { code=$? && cat "$work/openssl.log" >&2 && exit "$code"; }

: >"$out/nats.env"
for role in lead worker watcher; do
  # Letters first: nats-server would read a number from digits alone.
  password=pw$(openssl rand -hex 24)
  echo "NATS_${role^^}=$password" >>"$out/nats.env"
  echo "NATS_URL=tls://$role:$password@$1:4222" >"$out/$role.env"
done
cp "$manifest" "$out/manifest.json"
say "$out has ca.pem, tls.crt, tls.key, nats.env (the server's passwords), lead.env, worker.env, watcher.env, manifest.json"
