#!/bin/bash
# Unpacks source packages of Debian or Ubuntu, each as DIR/NAME-VERSION.
#
#   scripts/debian-source.sh DIR RELEASE PACKAGE…
#
# RELEASE is the code name of another release, e.g. trixie, or "own" for what this machine itself installs from. Either
# comes from the mirrors that apt is configured with; that configuration stays as it is, a private one lives below DIR.
set -euo pipefail

dir=${1:?usage: scripts/debian-source.sh DIR RELEASE PACKAGE…}
release=${2:?a release is missing, or "own"}
shift 2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt_dir=$dir/.apt
trap 'rm -rf "$apt_dir"' EXIT

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# The machine's own Debian or Ubuntu sources, asked for source packages instead of binary ones.
own_sources() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] && sed -En '/debian|ubuntu/s/^deb(-src)?[[:space:]]+/deb-src /p' "$file"
  done > "$apt_dir/sources.list"
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ] && grep -Eq '^URIs:.*(debian|ubuntu)' "$file"; then
      sed -E 's/^Types:.*/Types: deb-src/' "$file" > "$apt_dir/sources.list.d/$(basename "$file")"
    fi
  done
}

# The same mirrors' other release. The archive of security updates has releases of other names.
rename_release() {
  sed -i -E "/security/d; s/^(deb-src (\[[^]]*\] *)?[^[:space:]]+)[[:space:]]+[^[:space:]]+/\1 $release/" "$apt_dir/sources.list"
  local file
  for file in "$apt_dir"/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    awk -v RS= -v ORS='\n\n' '!/security/' "$file" | sed -E "s/^Suites:.*/Suites: $release/" > "$file.new"
    mv "$file.new" "$file"
  done
}

apt_private() {
  apt-get -q -o Dir::Etc::sourcelist="$apt_dir/sources.list" -o Dir::Etc::sourceparts="$apt_dir/sources.list.d" \
    -o Dir::State::Lists="$apt_dir/lists" -o Dir::Cache="$apt_dir/cache" -o APT::Sandbox::User=root "$@"
}

if ! command -v dpkg-source > /dev/null; then
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends dpkg-dev xz-utils
fi
rm -rf "$apt_dir"
mkdir -p "$apt_dir/sources.list.d" "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"
own_sources
[ "$release" = own ] || rename_release
# A third party's list without sources must not stop us: what is missing shows when the package is asked for.
apt_private update >&2 || true
for package in "$@"; do
  unpack=$apt_dir/$package
  mkdir "$unpack"
  (cd "$unpack" && apt_private source "$package" >&2)
  source=$(find "$unpack" -mindepth 1 -maxdepth 1 -type d)
  rm -rf "${dir:?}/$(basename "$source")"
  mv "$source" "$dir/"
  echo "$dir/$(basename "$source")"
done
