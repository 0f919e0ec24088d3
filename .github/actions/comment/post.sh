#!/bin/sh
# Takes two files out of the run's artifact, each cut at its limit, and posts the review. A stranger may have made
# the artifact: nothing of it is unpacked to a name of its own or run, and its number of the pull request counts only
# where that pull request is at the commit and from the repository that GitHub says the run was of.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Compressed; a review is a few kilobytes.
most=4194304
id=$(gh api "repos/$GITHUB_REPOSITORY/actions/runs/$RUN_ID/artifacts?name=holdfast-review" \
  --jq "[.artifacts[] | select(.expired == false and .size_in_bytes <= $most)][0].id // empty")
case $id in
'' | *[!0-9]*)
  echo "the run has left no review of at most $most bytes"
  exit 0
  ;;
esac
gh api "repos/$GITHUB_REPOSITORY/actions/artifacts/$id/zip" >"$folder/artifact.zip"
# One byte more than Holdfast reads, so that a longer one is refused and not cut.
unzip -p "$folder/artifact.zip" review.json | head -c 8388609 >"$folder/review.json"
number=$(unzip -p "$folder/artifact.zip" pull-request | head -c 10)
case $number in
'' | *[!0-9]*)
  echo "the artifact names no pull request"
  exit 1
  ;;
esac
node "$root/src/cli/holdfast.mjs" comment "$folder/review.json" --post --pull "$number" \
  --head-commit "$HEAD_COMMIT" --head-repository "$HEAD_REPOSITORY"
