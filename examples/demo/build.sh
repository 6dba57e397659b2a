#!/usr/bin/env bash
# Compiles documents/*.tex and sources/*.tex to documents/*.pdf. Users of fieldsmith never need it:
# the PDFs are in the repository. With arguments, compiles only these slugs: ./build.sh t-mere-rf
# A source whose first line is "% xelatex" is compiled by xelatex, every other one by pdflatex.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export SOURCE_DATE_EPOCH=2272147200 FORCE_SOURCE_DATE=1 TZ=UTC LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
for tex in documents/*.tex sources/*.tex; do
  [ -e "$tex" ] || continue
  slug=$(basename "$tex" .tex)
  if [ $# -gt 0 ] && [[ " $* " != *" $slug "* ]]; then continue; fi
  dir=$work/$slug
  mkdir "$dir"
  cp "$tex" "$dir/"
  if head -n 1 "$tex" | grep -qi '^% *xelatex'; then
    cmd=(xelatex -no-shell-escape -interaction=nonstopmode -halt-on-error "$slug.tex")
  else
    # without \pdftrailerid{} the file identifier would depend on the folder of the build
    cmd=(pdflatex -no-shell-escape -interaction=nonstopmode -halt-on-error -jobname "$slug"
         "\\pdftrailerid{}\\input{$slug.tex}")
  fi
  ok=1
  for _ in 1 2 3; do
    (cd "$dir" && "${cmd[@]}" >run.txt 2>&1) || { ok=0; break; }
  done
  if [ $ok = 1 ]; then
    cp "$dir/$slug.pdf" "documents/$slug.pdf"
    echo "documents/$slug.pdf"
  else
    echo "FAILED: $tex" >&2
    tail -n 30 "$dir/run.txt" >&2
    status=1
  fi
done
exit $status
