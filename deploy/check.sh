#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Decides on every image of a change, and reports where people look: the log, a SARIF file, a JUnit file, a summary.
# What it is told comes from variables, a line an entry, so that no name is ever read as a command:
#   BULLA_POLICY       files of policies
#   BULLA_FILES        manifests, charts' output, compose files, Dockerfiles, folders
#   BULLA_IMAGES       images
#   BULLA_VARIABLES    NAME=VALUE for variables in compose files and build arguments in Dockerfiles
#   BULLA_OUTPUTS      further forms: sarif=FILE, junit=FILE, gitlab=FILE, markdown=FILE, json=FILE, github
#   BULLA_TRUSTED_ROOT whom policies believe; BULLA_KIT a folder of bulla save, and then no network
#   BULLA_SKIP_UNREADABLE  true: what cannot be read is a warning
#   BULLA_OUTCOME_FILE is written with trusted, refused, undecided or usage
# Exit codes: 0 trusted, 1 refused, 2 undecided, 64 wrong usage, bulla not being there among it.
set -eu
set --
while IFS= read -r line; do [ -z "$line" ] || set -- "$@" "--policy=$line"; done <<LINES
${BULLA_POLICY:-}
LINES
while IFS= read -r line; do [ -z "$line" ] || set -- "$@" "--file=$line"; done <<LINES
${BULLA_FILES:-}
LINES
while IFS= read -r line; do [ -z "$line" ] || set -- "$@" "--variable=$line"; done <<LINES
${BULLA_VARIABLES:-}
LINES
while IFS= read -r line; do [ -z "$line" ] || set -- "$@" "--output=$line"; done <<LINES
${BULLA_OUTPUTS:-}
LINES
[ -z "${BULLA_TRUSTED_ROOT:-}" ] || set -- "$@" "--trusted-root=$BULLA_TRUSTED_ROOT"
[ -z "${BULLA_KIT:-}" ] || set -- "$@" "--kit=$BULLA_KIT"
[ "${BULLA_SKIP_UNREADABLE:-}" != true ] || set -- "$@" --skip-unreadable
set -- "$@" --
while IFS= read -r line; do [ -z "$line" ] || set -- "$@" "$line"; done <<LINES
${BULLA_IMAGES:-}
LINES
code=0
if command -v bulla >/dev/null; then
  bulla check "$@" || code=$?
else
  echo 'bulla is not on the PATH: nothing was decided' >&2
  code=64
fi
case $code in
  0) outcome=trusted ;;
  1) outcome=refused ;;
  64) outcome=usage ;;
  *) outcome=undecided ;;
esac
if [ -n "${BULLA_OUTCOME_FILE:-}" ]; then
  printf '%s' "$outcome" > "$BULLA_OUTCOME_FILE" || [ "$code" -ne 0 ] || code=64
fi
exit "$code"
