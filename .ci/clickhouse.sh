#!/bin/sh
# Prints the folder with chdb, ClickHouse's own engine as a library, for the tests, after installing it from npm when it
# is not there yet (546 MB). It lives in the user's cache, outside the checkout, under its version; it is no dependency
# of the project. Exit status 10 where it cannot be had.
set -eu
version=${CHDB_VERSION:-3.4.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/chdb-$version
if [ ! -d "$home/node_modules/@chdb" ]; then
  [ "$(uname -sm)" = "Linux x86_64" ] || {
    echo "chdb's library is for Linux on x64 here" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.chdb.XXXXXX")
  trap 'rm -rf "$fresh" || :' EXIT
  npm install --prefix "$fresh" --ignore-scripts --no-audit --no-fund --loglevel=error "chdb@$version" >&2 || exit 10
  [ -d "$fresh/node_modules/@chdb" ] || {
    echo "chdb $version was installed, but its library is not in it" >&2
    exit 10
  }
  # Whole or not at all, also when two runs install at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -d "$home/node_modules/@chdb" ]
fi
echo "$home"
