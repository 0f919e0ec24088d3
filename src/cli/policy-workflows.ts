/** The workflows that `init` writes: what runs in them is named by commit, and they may read and nothing else. */
import type { Origin } from "./own-origin.ts";

const checkout = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
const setupNode = "actions/setup-node@820762786026740c76f36085b0efc47a31fe5020 # v7.0.0";

/** By file name below `.github/workflows`. */
export function policyWorkflows(origin: Origin): Readonly<Record<string, string>> {
  return { "holdfast.yml": lintWorkflow(origin) };
}

function lintWorkflow({ repository, commit }: Origin): string {
  return `# Checks every change to the policies before it is merged.
name: holdfast
on:
  pull_request:
    paths: [policies/**]
permissions:
  contents: read
jobs:
  lint:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    steps:
      - uses: ${checkout}
        with: {persist-credentials: false}
      - uses: ${checkout}
        with:
          persist-credentials: false
          repository: ${repository}
          ref: ${commit}
          path: .holdfast-program
      - uses: ${setupNode}
        with: {node-version: 24}
      - run: npm ci --omit=dev --ignore-scripts --prefix .holdfast-program
      - run: node .holdfast-program/src/cli/holdfast.mjs lint --format github policies
`;
}
