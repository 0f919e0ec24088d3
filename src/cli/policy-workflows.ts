/** The workflows that `init` writes: what runs in them is named by commit, and they may read and nothing else. */
import type { Origin } from "./own-origin.ts";

const checkout = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/** By file name below `.github/workflows`. */
export function policyWorkflows(origin: Origin): Readonly<Record<string, string>> {
  return { "holdfast.yml": review(origin), "holdfast-comment.yml": comment(origin) };
}

function review({ repository, commit }: Origin): string {
  return `# Checks every change to the policies before it is merged; the same for a branch and for a fork.
name: holdfast
on:
  pull_request:
    paths: [policies/**]
permissions:
  contents: read
jobs:
  review:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    steps:
      - uses: ${checkout}
        with: {persist-credentials: false, fetch-depth: 2}
      - uses: ${repository}@${commit}
`;
}

function comment({ repository, commit }: Origin): string {
  return `# Posts what the run of holdfast.yml has found, as one comment. It reads that run's artifact as data.
name: holdfast comment
on:
  workflow_run:
    workflows: [holdfast]
    types: [completed]
permissions: {}
jobs:
  comment:
    if: github.event.workflow_run.event == 'pull_request'
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      actions: read
      pull-requests: write
    steps:
      - uses: ${repository}/.github/actions/comment@${commit}
`;
}
