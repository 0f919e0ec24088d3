#!/bin/sh
# Prints the folder of PostgreSQL 17's programs. Debian 12 has no packages of it, so the packages of Debian 13
# are unpacked into a tree in the user's cache, from the mirror this machine uses, and the programs are told to
# use the libraries of that tree. Nothing is installed. Takes about a minute the first time.
set -eu
if [ -x /usr/lib/postgresql/17/bin/postgres ]; then
  echo /usr/lib/postgresql/17/bin
  exit 0
fi
tree=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/postgresql-17
# The server's own user must be able to enter, and the cache of root is closed to it.
if [ "$(id -u)" -eq 0 ]; then tree=/var/cache/holdfast/postgresql-17; fi
bin=$tree/usr/lib/postgresql/17/bin
if [ -e "$tree/.complete" ]; then
  echo "$bin"
  exit 0
fi
command -v patchelf >/dev/null 2>&1 || {
  [ "$(id -u)" -eq 0 ] || { echo "patchelf is missing: apt-get install patchelf" >&2; exit 10; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends patchelf >/dev/null
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror is configured" >&2; exit 10; }
mkdir -p "$work/etc" "$work/state/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/etc/sources.list"
in_trixie() {
  apt-get -qq -o Dir::Etc::SourceList="$work/etc/sources.list" -o Dir::Etc::SourceParts=/nonexistent \
    -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false "$@" >&2
}
in_trixie update
in_trixie install -y --download-only postgresql-17
rm -rf "$tree"
mkdir -p "$tree"
chmod 755 "${tree%/*}" "$tree"
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done
# Debian 13 has /lib as a link into /usr; a library may come under either name.
libraries=$tree/usr/lib/$(uname -m)-linux-gnu
loader=$(ls "$libraries"/ld-linux-*.so.* | head -n 1)
for program in "$bin"/*; do
  if patchelf --print-interpreter "$program" >/dev/null 2>&1; then
    patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$program"
  fi
done
for plugin in "$tree"/usr/lib/postgresql/17/lib/*.so; do patchelf --force-rpath --set-rpath "$libraries" "$plugin"; done
"$bin/postgres" --version >&2
touch "$tree/.complete"
echo "$bin"
