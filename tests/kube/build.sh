#!/usr/bin/env bash
# Build a real kube-apiserver from Debian's own source package, and take etcd from Debian, for tests/deploy/kube.
# Nothing is installed on the machine: everything stays below $XDG_CACHE_HOME/datasurface-tests/kube. Takes about
# five minutes of two cores. Needs Debian 12 (bookworm) with apt, make, rsync and dpkg-dev.
set -euo pipefail

VERSION=1.20.2
HOME_OF_TESTS="${DATASURFACE_TEST_KUBE:-${XDG_CACHE_HOME:-$HOME/.cache}/datasurface-tests/kube}"
WORK="$HOME_OF_TESTS/work"

if [ -x "$HOME_OF_TESTS/bin/kube-apiserver" ] && [ -x "$HOME_OF_TESTS/bin/etcd" ]; then
  echo "already built: $HOME_OF_TESTS/bin"
  exit 0
fi
for program in apt-get make rsync dpkg-source; do
  command -v "$program" >/dev/null || { echo "$program is missing; apt-get install make rsync dpkg-dev" >&2; exit 2; }
done

# Debian's sources as this machine knows them, with source packages, in a configuration of our own.
mkdir -p "$WORK/sources" "$WORK/lists/partial" "$WORK/archives/partial" "$WORK/packages" "$WORK/root" "$HOME_OF_TESTS/bin"
cd "$WORK/packages"
for list in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/*.sources; do
  [ -f "$list" ] || continue
  grep -q 'Suites:.*bookworm' "$list" || continue
  sed 's/^Types:.*/Types: deb deb-src/' "$list" >"$WORK/sources/$(basename "$list")"
done
if [ -f /etc/apt/sources.list ]; then
  sed -n 's/^deb \(.*\)/deb \1\ndeb-src \1/p' /etc/apt/sources.list >"$WORK/sources/machine.list"
fi
apt() {
  apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$WORK/sources" \
    -o Dir::State::Lists="$WORK/lists" -o Dir::Cache::Archives="$WORK/archives" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}
apt update
apt download golang-1.19-go golang-1.19-src etcd-server
for package in *.deb; do dpkg -x "$package" "$WORK/root"; done
install -m 755 "$WORK/root/usr/bin/etcd" "$HOME_OF_TESTS/bin/etcd"

apt source --download-only kubernetes
rm -rf "$WORK/tree"
dpkg-source --no-check -x kubernetes_*.dsc "$WORK/tree"
cd "$WORK/tree"
mkdir -p .go/src/k8s.io
ln -sfn ../../.. .go/src/k8s.io/kubernetes
PATH="$WORK/root/usr/lib/go-1.19/bin:$PATH" GOROOT="$WORK/root/usr/lib/go-1.19" GOPATH="$PWD/.go" GOCACHE="$WORK/cache" \
  GO111MODULE=off GOFLAGS= CGO_ENABLED=0 FORCE_HOST_GO=y KUBE_GIT_VERSION="v$VERSION" KUBE_GIT_COMMIT=0 \
  KUBE_GIT_TREE_STATE=archive KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 make WHAT=cmd/kube-apiserver
install -m 755 "$(find _output -type f -name kube-apiserver | head -n 1)" "$HOME_OF_TESTS/bin/kube-apiserver"
rm -rf "$WORK"
echo "built: $HOME_OF_TESTS/bin"
