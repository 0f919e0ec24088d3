#!/bin/sh
# Prints the folder of the Kubernetes programs for the tests (kube-apiserver, kube-controller-manager,
# kube-scheduler, kubelet), after building them from their Go modules when they are not there yet. The first
# build takes both cores for some minutes; "packages" installs the Debian packages a cluster needs beside them.
# Exit status 10 where they cannot be had.
set -eu
what=${1:-programs}
version=1.34.4
staging=v0.34.4
programs="kube-apiserver kube-controller-manager kube-scheduler kubelet"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/kubernetes-$version

case $what in
programs) ;;
packages)
  # etcd's unit would start at once and take the default ports; the tests start their own.
  missing=""
  need() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"; }
  need etcd etcd-server
  need containerd containerd
  need runc runc
  need /usr/lib/cni/bridge containernetworking-plugins
  need iptables iptables
  need conntrack conntrack
  need ipset ipset
  need kubectl kubernetes-client
  need socat socat
  need gcc gcc
  need /usr/include/unistd.h libc6-dev
  need openssl openssl
  [ -z "$missing" ] && exit 0
  [ "$(id -u)" -eq 0 ] || {
    echo "these Debian packages are missing, and installing them needs root:$missing" >&2
    exit 10
  }
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
  exit 0
  ;;
*)
  echo "usage: $0 [programs|packages]" >&2
  exit 2
  ;;
esac

if [ ! -x "$home/kubelet" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "kubernetes needs Go" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.kubernetes.XXXXXX")
  work=$(mktemp -d)
  trap 'rm -rf "$fresh" "$work"' EXIT
  out=$fresh
  cd "$work"
  # k8s.io/kubernetes names its own parts by a folder beside it; outside its tree they need their versions.
  printf 'module tools\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n' "$version" >go.mod
  module=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  {
    printf '\nreplace (\n'
    grep -oE 'k8s\.io/[a-z0-9-]+ => \./staging' "$module/go.mod" | awk '{print $1}' | grep -v sample-c |
      while read -r part; do printf '\t%s => %s %s\n' "$part" "$part" "$staging"; done
    printf ')\n\ntool (\n'
    for program in $programs; do printf '\tk8s.io/kubernetes/cmd/%s\n' "$program"; done
    printf ')\n'
  } >>go.mod
  export GOFLAGS=-mod=mod
  go mod tidy >&2 || exit 10
  stamp=k8s.io/component-base/version
  for program in $programs; do
    nice -n 10 go build -o "$out/$program" \
      -ldflags "-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=34 -X $stamp.gitTreeState=clean -X $stamp.gitCommit=0000000" \
      "k8s.io/kubernetes/cmd/$program" >&2 || exit 10
  done
  chmod 755 "$fresh"
  # Whole or not at all, also when two runs build at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -x "$home/kubelet" ]
fi
echo "$home"
