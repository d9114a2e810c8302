#!/usr/bin/env bash
# What the tests need beyond `make test`, on Debian and Ubuntu: gcc with its sanitizers and valgrind for the C target,
# pdflatex for the LaTeX documents. Does nothing where they are there. PyTorch: .venv/bin/pip install torch.
set -euo pipefail

declare -A packages=([gcc]="gcc libc6-dev" [valgrind]="valgrind libc6-dbg" [pdflatex]="texlive-latex-base texlive-latex-recommended")
missing=()
for tool in "${!packages[@]}"; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || { echo "install ${missing[*]}: some tests need them" >&2; exit 1; }
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
names=()
for tool in "${missing[@]}"; do read -ra more <<<"${packages[$tool]}"; names+=("${more[@]}"); done
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${names[@]}" >/dev/null
