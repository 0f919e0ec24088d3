#!/bin/sh
# Prints the folder of MinIO's server and client (minio, mc) for the demo and the tests, after building them from their Go modules
# when they are not there yet: some minutes on two cores the first time. These are the last versions; upstream is no
# longer maintained. Exit status 10 where they cannot be had.
set -eu
server=v0.0.0-20260212201848-7aac2a2c5b7c
client=v0.0.0-20250313080218-cf909e1063a9
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/minio-${server##*-}

if [ ! -x "$home/minio" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "minio needs Go" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.minio.XXXXXX")
  trap 'rm -rf "$fresh" || :' EXIT
  export GOBIN="$fresh" CGO_ENABLED=0
  nice -n 10 go install -trimpath -gcflags=all=-dwarf=false -ldflags "-s -w" "github.com/minio/mc@$client" >&2 || exit 10
  nice -n 10 go install -trimpath -gcflags=all=-dwarf=false -ldflags "-s -w" "github.com/minio/minio@$server" >&2 || exit 10
  chmod 755 "$fresh"
  # Whole or not at all, also when two runs build at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/minio" ]
fi
echo "$home"
