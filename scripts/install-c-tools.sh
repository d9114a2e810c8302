#!/usr/bin/env bash
# gcc, clang and valgrind for the tests of the C target, on Debian and Ubuntu; does nothing where they are there.
set -euo pipefail

missing=()
for tool in gcc clang valgrind; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || { echo "install ${missing[*]}: the tests of the C target need them" >&2; exit 1; }
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" libc6-dev >/dev/null
