#!/bin/sh
# Prints the folder of kube-router for the tests, after building it from its Go module when it is not there yet: some
# minutes on two cores the first time. It makes NetworkPolicies true on the tests' node and does nothing else there;
# what is known against this version, the last one the module proxy has, lies in its router and its proxy, which stay
# off. Exit status 10 where it cannot be had.
set -eu
version=2.1.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/kube-router-$version

if [ ! -x "$home/kube-router" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "kube-router needs Go" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.kube-router.XXXXXX")
  trap 'rm -rf "$fresh" || :' EXIT
  export GOBIN="$fresh" CGO_ENABLED=0
  nice -n 10 go install -trimpath -gcflags=all=-dwarf=false -ldflags "-s -w" \
    "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router@v$version" >&2 || exit 10
  chmod 755 "$fresh"
  # Whole or not at all, also when two runs build at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/kube-router" ]
fi
echo "$home"
