#!/bin/sh
# debian-13.sh TREE PACKAGE…: unpacks packages of Debian 13, with what they depend on, into the folder TREE, from
# the mirror this machine uses, and makes the programs of TREE/usr/bin use the libraries of TREE. Nothing is
# installed. For servers that Debian 12 has in older versions only.
set -eu
tree=$1
shift
[ -e "$tree/.complete" ] && exit 0
command -v patchelf >/dev/null 2>&1 || {
  [ "$(id -u)" -eq 0 ] || {
    echo "patchelf is missing: apt-get install patchelf" >&2
    exit 10
  }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends patchelf >/dev/null
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$mirror" ] || {
  echo "no Debian mirror is configured" >&2
  exit 10
}
mkdir -p "$work/etc" "$work/state/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/etc/sources.list"
in_trixie() {
  apt-get -qq -o Dir::Etc::SourceList="$work/etc/sources.list" -o Dir::Etc::SourceParts=/nonexistent \
    -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false "$@" >&2
}
in_trixie update
in_trixie install -y --download-only "$@"
rm -rf "$tree"
mkdir -p "$tree"
chmod 755 "${tree%/*}" "$tree"
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done
# Debian 13 has /lib as a link into /usr; a library may come under either name.
libraries=$tree/usr/lib/$(uname -m)-linux-gnu
loader=$(ls "$libraries"/ld-linux-*.so.* | head -n 1)
for program in "$tree"/usr/bin/*; do
  if [ ! -L "$program" ] && patchelf --print-interpreter "$program" >/dev/null 2>&1; then
    patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$program"
  fi
done
touch "$tree/.complete"
