#!/bin/sh
# Prints the folder of Velero's programs for the tests (velero, velero-restore-helper, velero-plugin-for-aws),
# after building them from their Go modules when they are not there yet: some minutes on two cores the first
# time. Exit status 10 where they cannot be had.
set -eu
version=1.18.3
plugin=1.14.3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/velero-$version

if [ ! -x "$home/velero" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "velero needs Go" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.velero.XXXXXX")
  work=$(mktemp -d)
  trap 'rm -rf "$fresh" "$work"' EXIT
  cd "$work"
  # Both in one module, so that what they share is compiled once; the replacements are Velero's own.
  cat >go.mod <<M
module tools

go 1.25.0

require (
	github.com/vmware-tanzu/velero v$version
	github.com/vmware-tanzu/velero-plugin-for-aws v$plugin
)

replace (
	github.com/kopia/kopia => github.com/project-velero/kopia v0.0.0-20251230033609-d946b1e75197
	k8s.io/cli-runtime => k8s.io/cli-runtime v0.33.10
)

tool (
	github.com/vmware-tanzu/velero/cmd/velero
	github.com/vmware-tanzu/velero/cmd/velero-restore-helper
	github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws
)
M
  # Static, since the image they go into holds nothing else; without debugging data, which costs a fifth of the build.
  export GOFLAGS=-mod=mod CGO_ENABLED=0
  go mod tidy >&2 || exit 10
  nice -n 10 go build -trimpath -gcflags=all=-dwarf=false -o "$fresh/" \
    -ldflags "-s -w -X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=v$version" tool >&2 || exit 10
  chmod 755 "$fresh"
  # Whole or not at all, also when two runs build at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/velero" ]
fi
echo "$home"
