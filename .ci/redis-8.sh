#!/bin/sh
# Prints the folder of Redis 8's programs, from Debian 13's packages in the user's cache. Exit status 10 where they
# cannot be had.
set -eu
cd "$(dirname "$0")"
tree=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/redis-8
sh ./debian-13.sh "$tree" redis-server redis-tools >&2 || exit 10
"$tree/usr/bin/redis-server" --version >&2 || exit 10
echo "$tree/usr/bin"
