#!/usr/bin/env bash
# Usage: scripts/bare-path.sh FOLDER. Fills the folder with links to python3, make, git and the tools of every system and
# nothing else: with it as PATH, a machine is bare (no compiler, no valgrind, no TeX).
set -euo pipefail

mkdir -p "$1"
for tool in awk basename bash cat chmod cp cut date dirname env find git grep head id ln ls make mkdir mktemp mv printf pwd \
  python3 readlink rm rmdir sed sh sleep sort stat tail tee test touch tr true uname uniq wc xargs; do
  path=$(type -P "$tool") && ln -sf "$path" "$1/$tool"
done
