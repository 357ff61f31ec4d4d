#!/bin/bash
# Gets the benchmark projects, GNU make 4.3 and coreutils 9.1 (in the version this Debian or Ubuntu has), into
# DIR/make-VERSION and DIR/coreutils-VERSION, configured and ready to build. A folder that is configured already stays.
#
#   bench/fetch-sources.sh DIR
#
# The machine's own apt configuration is left as it is: the sources are listed in a private one below DIR.
set -euo pipefail

dir=${1:?usage: bench/fetch-sources.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt_dir=$dir/.apt

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The machine's own Debian or Ubuntu sources, asked for source packages instead of binary ones.
private_sources() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && sed -En '/debian|ubuntu/s/^deb(-src)?[[:space:]]/deb-src /p' "$file"
  done > "$apt_dir/sources.list"
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ] && grep -Eq '^URIs:.*(debian|ubuntu)' "$file"; then
      sed -E 's/^Types:.*/Types: deb-src/' "$file" > "$apt_dir/sources.list.d/$(basename "$file")"
    fi
  done
}

apt_private() {
  apt-get -q -o Dir::Etc::sourcelist="$apt_dir/sources.list" -o Dir::Etc::sourceparts="$apt_dir/sources.list.d" \
    -o Dir::State::Lists="$apt_dir/lists" -o Dir::Cache="$apt_dir/cache" -o APT::Sandbox::User=root "$@"
}

install_missing() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# fetch PACKAGE NAME CONFIGURE_ARGS…: unpacks the source package and configures it as DIR/NAME-VERSION.
fetch() {
  local package=$1 name=$2
  shift 2
  local found
  found=$(find "$dir" -maxdepth 2 -path "$dir/$name-[0-9]*/config.status" -print -quit)
  if [ -n "$found" ]; then
    echo "$(dirname "$found") is there"
    return
  fi
  local unpack=$apt_dir/$package
  rm -rf "$unpack" && mkdir "$unpack"
  (cd "$unpack" && apt_private source "$package" >&2)
  local source version
  source=$(find "$unpack" -mindepth 1 -maxdepth 1 -type d)
  # Debian calls the folder make-dfsg-4.3, and adds to a repacked version as in 4.3+dfsg.
  version=$(basename "$source" | sed -E 's/.*-([0-9][0-9.]*).*/\1/')
  local target=$dir/$name-$version
  rm -rf "$target"
  mv "$source" "$target"
  # make-dfsg comes without a configure. coreutils refuses to be configured by root unless told otherwise.
  (
    cd "$target"
    [ -x configure ] || autoreconf -f -i >&2
    FORCE_UNSAFE_CONFIGURE=1 ./configure "$@" > configure.log
  )
  echo "$target is configured"
}

# dpkg-dev unpacks; the rest is what a configure of the two packages looks for.
install_missing dpkg-dev xz-utils gcc make libc6-dev autoconf automake autopoint gettext pkg-config
rm -rf "$apt_dir"
mkdir -p "$apt_dir/sources.list.d" "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"
private_sources
# A third party's list without sources must not stop us: what is missing shows when the package is asked for.
apt_private update >&2 || true
fetch make-dfsg make --without-guile
fetch coreutils coreutils
rm -rf "$apt_dir"
