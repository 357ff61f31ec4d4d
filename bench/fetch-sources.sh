#!/bin/bash
# Gets the benchmark projects, GNU make 4.3 and coreutils 9.1 (in the version this Debian or Ubuntu has), into
# DIR/make-VERSION and DIR/coreutils-VERSION, configured and ready to build. A folder that is configured already stays.
#
#   bench/fetch-sources.sh DIR
set -euo pipefail

dir=${1:?usage: bench/fetch-sources.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
unpack=$dir/.unpack
here=$(cd "$(dirname "$0")" && pwd)

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

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
  local source version
  source=$("$here/../scripts/debian-source.sh" "$unpack" own "$package")
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

# What a configure of the two packages looks for.
install_missing gcc make libc6-dev autoconf automake autopoint gettext pkg-config
fetch make-dfsg make --without-guile
fetch coreutils coreutils
rm -rf "$unpack"
