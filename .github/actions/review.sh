#!/bin/sh
# Lint, and in a pull request the review, for action.yml. Whatever comes out, the status goes into GITHUB_OUTPUT and
# not into this script's own, so that the review is handed on before the job fails.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$RUNNER_TEMP/holdfast-review
mkdir -p "$folder"
holdfast() { node "$root/src/cli/holdfast.mjs" "$@"; }

status=0
holdfast lint --format "$FORMAT" --fail-on "$FAIL_ON" -- "$POLICIES" || status=$?

review=no
case ${GITHUB_REF:-} in
refs/pull/*/*)
  number=${GITHUB_REF#refs/pull/}
  number=${number%%/*}
  if [ -n "$SNAPSHOT" ]; then set -- --snapshot "$SNAPSHOT"; else set -- --offline; fi
  planned=0
  holdfast plan --policies "$POLICIES" --base "$BASE" --head HEAD "$@" --format json >"$folder/review.json" || planned=$?
  case $planned in
  0 | 3 | 4)
    review=yes
    printf '%s\n' "$number" >"$folder/pull-request"
    [ -z "${GITHUB_STEP_SUMMARY:-}" ] || holdfast comment "$folder/review.json" >>"$GITHUB_STEP_SUMMARY"
    # A finding has been told by lint, at the severity that was asked for; a breach is told by nobody else.
    [ "$planned" -eq 3 ] || [ "$status" -ne 0 ] || status=$planned
    ;;
  *) status=$planned ;;
  esac
  ;;
esac
printf 'status=%s\nreview=%s\n' "$status" "$review" >>"$GITHUB_OUTPUT"
