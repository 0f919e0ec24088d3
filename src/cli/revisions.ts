/** Policies at a revision, read from git's objects; nothing is checked out and nothing of them is run. */
import { createHash } from "node:crypto";
import { join, relative } from "node:path";
import { HoldfastError } from "../errors.ts";
import { openExec } from "../exec/system.ts";
import type { PolicyFile } from "../policy/model.ts";
import { readPolicyPaths } from "./policy-files.ts";

export interface PolicySide {
  /** Commit id; empty for a working copy. */
  readonly revision: string;
  readonly files: readonly PolicyFile[];
  /** SHA-256 over names, relative to the folder, and contents. */
  readonly digest: string;
}

/** The YAML files below `folder` at `revision` of the git repository around it, or those of the working copy. @throws usage */
export async function policySide(folder: string, revision: string | undefined): Promise<PolicySide> {
  if (revision === undefined) {
    const files = await readPolicyPaths([folder]);
    return sideOf(files, folder, "");
  }
  if (revision.startsWith("-")) throw new HoldfastError("usage", `'${revision}' is no revision`);
  const exec = openExec();
  const git = async (...rest: string[]) =>
    (await exec.run({ argv: ["git", "-C", folder, ...rest] }, { deadlineMs: 30_000 })).stdout;
  try {
    const commit = (await git("rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`)).trim();
    const names = (await git("ls-tree", "-r", "-z", "--name-only", commit, "."))
      .split("\0")
      .filter((n) => /\.ya?ml$/i.test(n))
      .sort();
    const encoder = new TextEncoder();
    const files = await Promise.all(
      names.map(async (name) => ({
        path: relative(process.cwd(), join(folder, name)),
        bytes: encoder.encode(await git("show", `${commit}:./${name}`)),
      })),
    );
    return sideOf(files, folder, commit);
  } catch (cause) {
    throw new HoldfastError("usage", `the policies at '${revision}' cannot be read from git`, { cause });
  }
}

/** The policy files of a folder as one side of a review. */
export function sideOf(files: readonly PolicyFile[], folder: string, revision: string): PolicySide {
  return { revision, files, digest: digestOf(files, folder) };
}

function digestOf(files: readonly PolicyFile[], folder: string): string {
  const hash = createHash("sha256");
  const named = files.map((f) => ({ ...f, name: relative(folder, f.path) }));
  for (const { name, bytes } of named.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}
