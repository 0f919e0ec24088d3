/** The policies of one revision, read from git's objects: no checkout, so no symlink, filter or hook. */
import { HoldfastError } from "../errors.ts";
import type { PolicyFile } from "../policy/model.ts";
import type { BareCopy } from "./bare-copy.ts";
import type { Revision } from "./source.ts";

/** A file too large for a policy is cut: lint says that it is too large whatever follows. */
const fileLimitBytes = 4 * 1024 * 1024;
const allLimitBytes = 256 * 1024 * 1024;
const newline = 10;

/** `path` is empty for the whole tree. @throws usage when there is no such revision; policy-invalid without the folder */
export async function readRevision(
  copy: BareCopy,
  name: string,
  path: string,
  branch: string,
): Promise<Revision> {
  const text = await copy
    .git()
    .raw(["log", "-1", "--format=%H%x00%cI%x00%s%x00%an <%ae>", "--end-of-options", name, "--"])
    .catch((cause: unknown) => {
      // A commit's own name was read from the remote a moment ago: the copy is at fault, and is mended.
      if (/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(name)) throw cause;
      throw new HoldfastError("usage", `the policy repository has no revision '${name}'`, { cause });
    });
  const [commit = "", committedAt = "", subject = "", author = ""] = text.trim().split("\0");
  const tree = await treeOf(copy, commit, path);
  if (tree === undefined) {
    throw new HoldfastError("policy-invalid", `branch '${branch}' has no folder '${path}'`, {
      hint: "name the folder of the policies with --path, or push it",
    });
  }
  return { commit, tree, committedAt, subject, author, files: await filesOf(copy, commit, path) };
}

async function treeOf(copy: BareCopy, commit: string, path: string): Promise<string | undefined> {
  const text =
    path === ""
      ? await copy.git().raw(["rev-parse", "--verify", `${commit}^{tree}`])
      : await copy.git().raw(["ls-tree", "-z", commit, "--", path]);
  return path === "" ? text.trim() : /^040000 tree ([0-9a-f]+)\t/.exec(text)?.[1];
}

interface Entry {
  readonly path: string;
  readonly id: string;
  readonly sizeBytes: number;
}

async function filesOf(copy: BareCopy, commit: string, path: string): Promise<readonly PolicyFile[]> {
  const pathspec = path === "" ? [] : ["--", `${path}/`];
  const listing = await copy.git().raw(["ls-tree", "-r", "-z", "-l", commit, ...pathspec]);
  const entries: Entry[] = [];
  for (const line of listing.split("\0")) {
    const match = /^\d+ blob ([0-9a-f]+)\s+(\d+)\t([\s\S]+)$/.exec(line);
    if (match === null || !/\.ya?ml$/i.test(match[3] ?? "")) continue;
    entries.push({ path: match[3] ?? "", id: match[1] ?? "", sizeBytes: Number(match[2]) });
  }
  const sizeBytes = entries.reduce((sum, e) => sum + e.sizeBytes, 0);
  if (sizeBytes > allLimitBytes) {
    throw new HoldfastError(
      "policy-invalid",
      `the YAML files of commit ${commit.slice(0, 12)} are ${sizeBytes} bytes together, at most ${allLimitBytes} are read`,
      { hint: "name the folder that holds only policies with --path" },
    );
  }
  if (entries.length === 0) return [];
  const output = await copy.feed(["cat-file", "--batch"], `${entries.map((e) => e.id).join("\n")}\n`);
  return split(output, entries);
}

/** Each blob is one line with its id, kind and length, then its bytes, then a line end. */
function split(output: Buffer, entries: readonly Entry[]): readonly PolicyFile[] {
  let at = 0;
  return entries.map(({ path, id, sizeBytes }) => {
    const lineEnd = output.indexOf(newline, at);
    const line = output.toString("latin1", at, lineEnd);
    if (line !== `${id} blob ${sizeBytes}`) throw new Error(`git gave '${line}' for object ${id}`);
    const from = lineEnd + 1;
    at = from + sizeBytes + 1;
    return { path, bytes: output.subarray(from, from + Math.min(sizeBytes, fileLimitBytes)) };
  });
}
