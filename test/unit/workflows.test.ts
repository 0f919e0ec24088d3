/** Workflows and actions, ours and those that `init` writes: pinned, with few rights, deaf to what strangers write. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { policyWorkflows } from "../../src/cli/policy-workflows.ts";

const root = join(import.meta.dirname, "../..");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, unknown>>;
}
interface Workflow {
  readonly on: string | readonly string[] | Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly permissions?: Readonly<Record<string, string>>;
        readonly steps: readonly Step[];
        readonly "timeout-minutes"?: number;
      }
    >
  >;
}
interface Action {
  readonly runs: { readonly using: string; readonly steps: readonly (Step & { readonly shell?: string })[] };
}

const read = (path: string) => ({ name: path, text: readFileSync(join(root, path), "utf8") });
const filesBelow = (folder: string, wanted: RegExp) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => wanted.test(name))
        .map((name) => join(folder, name))
    : [];
const workflows = [
  ...filesBelow(".github/workflows", /\.ya?ml$/).map(read),
  ...Object.entries(policyWorkflows({ repository: "octo-org/holdfast", commit: "ab".repeat(20) })).map(
    ([name, text]) => ({ name: `init: ${name}`, text }),
  ),
];
const actions = [
  ...(existsSync(join(root, "action.yml")) ? ["action.yml"] : []),
  ...filesBelow(".github/actions", /action\.ya?ml$/),
].map(read);

const stepsOf = ({ jobs }: Workflow): readonly Step[] => Object.values(jobs).flatMap((job) => job.steps);
const triggersOf = ({ on }: Workflow): readonly string[] =>
  typeof on === "string" ? [on] : Array.isArray(on) ? on : Object.keys(on);
const asWorkflow = (text: string) => parse(text) as Workflow;
const asAction = (text: string) => parse(text) as Action;

describe("the files", () => {
  it("are there to be looked at", () => {
    expect(workflows.length).toBeGreaterThan(4);
    expect(actions.length).toBe(2);
  });
  it.each([...workflows, ...actions])("$name names everything that it runs by commit", ({ text }) => {
    const used = [...text.matchAll(/^\s*(?:- )?(?:"uses"|'uses'|uses)\s*:\s*(.+)$/gm)].map((m) => m[1] ?? "");
    const parsed = /jobs:/.test(text) ? stepsOf(asWorkflow(text)) : asAction(text).runs.steps;
    expect(used).toHaveLength(parsed.filter((step) => step.uses !== undefined).length);
    for (const line of used) {
      // What is in the same commit needs no other name.
      if (/^\.\/[\w./-]*$/.test(line)) continue;
      expect(line).toMatch(
        /^[\w-]+\/[\w./-]+@[0-9a-f]{40} # v?\d+(\.\d+)*|^octo-org\/holdfast[\w./-]*@(ab){20}$/,
      );
    }
    expect(text).not.toMatch(/docker:\/\//);
  });
  it.each([...workflows, ...actions])("$name puts nothing into a script by substitution", ({ text }) => {
    const steps = /jobs:/.test(text) ? stepsOf(asWorkflow(text)) : asAction(text).runs.steps;
    for (const { run } of steps) expect(run ?? "").not.toContain("${{");
    // Titles, branch names and texts of a pull request are no part of any expression but a step's variable.
    expect(text).not.toMatch(/\$\{\{[^}]*(?:title|body|head_ref|commit(?:s|er)?\.message|label)[^}]*\}\}/);
  });
  it.each([...workflows, ...actions])("$name leaves no token behind a checkout", ({ text }) => {
    const steps = /jobs:/.test(text) ? stepsOf(asWorkflow(text)) : asAction(text).runs.steps;
    for (const step of steps) {
      if (!/^actions\/checkout@/.test(step.uses ?? "")) continue;
      expect(step.with?.["persist-credentials"]).toBe(false);
      // No checkout of what a stranger has pushed where there are rights to be had.
      expect(String(step.with?.["ref"] ?? "")).not.toContain("${{");
    }
  });
  it.each([...workflows, ...actions])(
    "$name installs nothing by a name that anybody may take",
    ({ text }) => {
      expect(text).not.toMatch(/\bnpx\b|npm (?:i|install|exec)\b|curl[^\n]*\|\s*(?:ba)?sh/);
    },
  );
});

describe("workflows", () => {
  it.each(workflows)("$name says its rights, for every job no more than it needs", ({ text }) => {
    const workflow = asWorkflow(text);
    expect(workflow.permissions).toBeDefined();
    const isFromStrangers = triggersOf(workflow).includes("pull_request");
    for (const rights of [workflow.permissions, ...Object.values(workflow.jobs).map((j) => j.permissions)]) {
      for (const [name, right] of Object.entries(rights ?? {})) {
        if (right === "read") continue;
        expect({ name, right, isFromStrangers }).toEqual({
          name: "pull-requests",
          right: "write",
          isFromStrangers: false,
        });
      }
    }
    // Whoever may write must not run what a stranger has changed: of the change it has no checkout.
    if (triggersOf(workflow).includes("workflow_run")) {
      expect(workflow.permissions).toEqual({});
      expect(text).not.toMatch(/workflow_run\.(?!event\b)/);
    }
    for (const job of Object.values(workflow.jobs)) expect(job["timeout-minutes"]).toBeGreaterThan(0);
  });
  it.each(workflows)("$name is not run with our rights on a stranger's commit", ({ text }) => {
    expect(triggersOf(asWorkflow(text))).not.toContain("pull_request_target");
    expect(triggersOf(asWorkflow(text))).not.toContain("issue_comment");
    if (triggersOf(asWorkflow(text)).includes("pull_request")) {
      expect(text).not.toMatch(/\bsecrets\b|github\.token|GITHUB_TOKEN/);
    }
  });
});
