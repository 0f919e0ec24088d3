/** `plan --base`: what a change between two revisions does to jobs and to points that are stored already. */
import { builtKinds } from "../engine/engines.ts";
import { HoldfastError } from "../errors.ts";
import { openExec } from "../exec/system.ts";
import type { Observation } from "../operate/observe.ts";
import { planDifference } from "../plan/difference.ts";
import type { PolicyFile } from "../policy/model.ts";
import { readPolicySet } from "../policy/read.ts";
import { columns, paintFor, print, printJson } from "./console.ts";
import type { SharedOptions } from "./options.ts";
import { readSchemas } from "./policy-files.ts";
import type { WiredWorld } from "./wire.ts";

/** Prints the difference between the policies at `base` and those of the world. */
export async function compareRevisions(
  world: WiredWorld,
  options: SharedOptions,
  base: string,
  seen: Observation,
): Promise<void> {
  const reading = readPolicySet(await filesAt(options.policies, base), await readSchemas());
  const difference = planDifference({
    base: reading.set,
    head: world.set,
    builtKinds,
    catalogues: seen.catalogues,
    nowMs: world.clock.nowMs(),
  });
  if (options.format === "json") return printJson(difference);
  const paint = paintFor(process.stdout);
  const isMarkdown = options.format === "markdown";
  const bullet = isMarkdown ? "- " : "  ";
  const heading = (text: string) => (isMarkdown ? `### ${text}` : paint.bold(text));
  const lines: string[] = [
    heading(`From ${base} to ${world.revision === "" ? "these files" : world.revision.slice(0, 12)}`),
  ];
  const { created, updated, removed } = difference.jobs;
  for (const [word, keys] of [
    ["new job", created],
    ["changed job", updated],
    ["removed job", removed],
  ] as const) {
    for (const key of keys) lines.push(`${bullet}${word} ${key}`);
  }
  for (const { policy, newlyExpired, newlyKept } of difference.points) {
    for (const { id, reason } of newlyExpired)
      lines.push(`${bullet}${paint.bad("would expire")} ${policy} ${id}: ${reason}`);
    for (const id of newlyKept) lines.push(`${bullet}${paint.good("would be kept")} ${policy} ${id}`);
  }
  for (const note of difference.notes) lines.push(`${bullet}${note.policy}: ${note.message}`);
  const expired = difference.points.reduce((sum, p) => sum + p.newlyExpired.length, 0);
  lines.push(
    expired === 0
      ? paint.good("no stored point would expire by this change")
      : paint.bad(`${expired} stored points would expire by this change`),
  );
  print(lines.map((line) => line.slice(0, Math.max(columns(), 200))).join("\n"));
}

/** The YAML files below `folder` at a revision of the git repository around it. @throws usage */
async function filesAt(folder: string, revision: string): Promise<readonly PolicyFile[]> {
  const exec = openExec();
  const git = async (...rest: string[]) =>
    (await exec.run({ argv: ["git", "-C", folder, ...rest] }, { deadlineMs: 30_000 })).stdout;
  if (revision.startsWith("-")) throw new HoldfastError("usage", `'${revision}' is no revision`);
  try {
    const commit = (await git("rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`)).trim();
    const names = (await git("ls-tree", "-r", "-z", "--name-only", commit, "."))
      .split("\0")
      .filter((n) => /\.ya?ml$/.test(n));
    const encoder = new TextEncoder();
    return await Promise.all(
      names.map(async (path) => ({ path, bytes: encoder.encode(await git("show", `${commit}:./${path}`)) })),
    );
  } catch (cause) {
    throw new HoldfastError("usage", `the policies at '${revision}' cannot be read from git`, { cause });
  }
}
