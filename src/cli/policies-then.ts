/** The policies that were in force at an instant, from the history of the git repository around the folder. */
import { HoldfastError } from "../errors.ts";
import { openExec } from "../exec/system.ts";
import type { PoliciesThen } from "../health/time-travel.ts";
import { readPolicySet } from "../policy/read.ts";
import { readSchemas } from "./policy-files.ts";
import { policySide } from "./revisions.ts";

/**
 * Those of the last commit at or before `atMs` on the branch that is checked out, by the dates of its commits:
 * when a commit was pushed is written nowhere. Unknown where there is no history to ask; never an error.
 */
export async function policiesThen(
  options: { readonly policies: string; readonly bundle?: string },
  atMs: number,
): Promise<PoliciesThen> {
  const unknown = (why: string): PoliciesThen => ({ kind: "unknown", why });
  if (options.bundle !== undefined) return unknown("a bundle holds one revision and no history");
  const folder = options.policies;
  const exec = openExec();
  const git = async (...rest: string[]) =>
    (await exec.run({ argv: ["git", "-C", folder, ...rest] }, { deadlineMs: 30_000 })).stdout.trim();
  try {
    // A folder that lies in a repository by chance has no history there.
    if ((await git("ls-tree", "--name-only", "HEAD", ".")) === "")
      return unknown(`'${folder}' is not in the git repository around it`);
    const seconds = String(Math.floor(atMs / 1000));
    // Along the first parents, which is what the branch has pointed at.
    const line = await git("log", "-1", "--first-parent", `--min-age=${seconds}`, "--format=%H %cI", "HEAD");
    const [revision = "", committed = ""] = line.split(" ");
    if (revision === "") {
      const isCut = (await git("rev-parse", "--is-shallow-repository")) === "true";
      return unknown(
        isCut
          ? "the clone holds only the newest part of the history; git fetch --unshallow brings the rest"
          : "the history of the policies begins later",
      );
    }
    const { files } = await policySide(folder, revision);
    const { set, findings } = readPolicySet(files, await readSchemas());
    const broken = new Set(findings.filter((f) => f.severity === "error").map((f) => f.location.file));
    return {
      kind: "known",
      revision,
      committedAt: new Date(committed).toISOString(),
      set,
      unreadableFiles: [...broken].sort(),
    };
  } catch (error) {
    if (error instanceof HoldfastError)
      return unknown(`'${folder}' is in no git repository that can be read`);
    throw error;
  }
}
