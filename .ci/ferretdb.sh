#!/bin/sh
# Prints the path of FerretDB, a server that speaks MongoDB's wire protocol, for the tests; builds it from its
# Go module when it is not there yet (about 80 s on two cores, cold). MongoDB's own server is in no registry
# that needs no account. It lives in the user's cache under its version. Exit status 10 where it cannot be had.
set -eu
version=1.24.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/ferretdb-$version

if [ ! -x "$home/ferretdb" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "ferretdb needs Go" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.ferretdb.XXXXXX")
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work" 2>/dev/null || :; rm -rf "$fresh" "$work"' EXIT
  out=$fresh
  cd "$work"
  printf 'module tools\n\ngo 1.22\n\nrequire github.com/FerretDB/FerretDB v%s\n\n' "$version" >go.mod
  printf '//go:build tools\n\npackage tools\n\nimport _ "github.com/FerretDB/FerretDB/cmd/ferretdb"\n' >tools.go
  go mod tidy >&2 || exit 10
  go mod vendor >&2 || exit 10
  # The module is published without the file its version is read from, and the program refuses to start so.
  printf 'v%s\n' "$version" >vendor/github.com/FerretDB/FerretDB/build/version/version.txt
  nice -n 10 go build -mod=vendor -ldflags "-s -w" -o "$out/ferretdb" github.com/FerretDB/FerretDB/cmd/ferretdb >&2 || exit 10
  chmod 755 "$fresh"
  # Whole or not at all, also when two runs build at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/ferretdb" ]
fi
echo "$home/ferretdb"
