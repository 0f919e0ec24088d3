#!/bin/sh
# Prints a folder with what stands in for the base image of deploy/Containerfile where no container registry can be
# reached: debian.tar, a slim Debian 12 by debuerreotype, which the official images are made with, the mirror it came from,
# and npm. Node itself comes from this project's packages. The folder lies in the user's cache, outside the checkout, under its version; the
# second call takes no time. "packages" installs the Debian packages that make it and that build and run images.
# Exit status 10 where they cannot be had.
set -eu
what=${1:-base}
npm=11.21.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast
home=$cache/debian-12-slim-npm-$npm

case $what in
base) ;;
packages)
  missing=""
  need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
  need buildah buildah
  need podman podman
  need runc runc
  need debootstrap debootstrap
  need debuerreotype-init debuerreotype
  [ -z "$missing" ] && exit 0
  [ "$(id -u)" -eq 0 ] || {
    echo "these Debian packages are missing, and installing them needs root:$missing" >&2
    exit 10
  }
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  exit 0
  ;;
*)
  echo "usage: $0 [base|packages]" >&2
  exit 2
  ;;
esac

if [ ! -e "$home/mirror" ]; then
  [ "$(id -u)" -eq 0 ] && command -v debuerreotype-init >/dev/null 2>&1 || {
    echo "the base image needs root and the Debian package debuerreotype" >&2
    exit 10
  }
  # A container of CI may not mount, and then it can build no image either.
  unshare --mount true 2>/dev/null || {
    echo "the base image needs the right to mount" >&2
    exit 10
  }
  sites=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sort -u)
  mirror=$(echo "$sites" | grep -v security | grep debian | head -n 1)
  security=$(echo "$sites" | grep security | head -n 1)
  [ -n "$mirror" ] || {
    echo "no Debian mirror is configured" >&2
    exit 10
  }
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.debian-12-slim.XXXXXX")
  work=$(mktemp -d)
  trap 'rm -rf "$fresh" "$work"' EXIT
  debuerreotype-init --non-debian "$work/root" bookworm "$mirror" >&2 || exit 10
  debuerreotype-minimizing-config "$work/root" >&2
  debuerreotype-slimify "$work/root" >&2
  sources() {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
    printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
  }
  rm -f "$work/root/etc/apt/sources.list"
  {
    sources "$mirror" "bookworm bookworm-updates"
    [ -z "$security" ] || sources "$security" bookworm-security
  } >"$work/root/etc/apt/sources.list.d/debian.sources"
  echo "$mirror" >"$fresh/mirror"
  debuerreotype-tar "$work/root" "$fresh/debian.tar" >&2
  npm install --prefix "$work/npm" --ignore-scripts --no-audit --no-fund --loglevel=error "npm@$npm" >&2 || exit 10
  mv "$work/npm/node_modules/npm" "$fresh/npm"
  chmod 755 "$fresh"
  # Whole or not at all, also when two runs make it at once.
  mv -T "$fresh" "$home" 2>/dev/null || [ -e "$home/mirror" ]
fi
echo "$home"
