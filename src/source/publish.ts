/**
 * Commits files on top of whatever the remote has now, and pushes without force. Somebody else's commit that
 * came in between is never overwritten: the push is refused and everything is done again on top of it.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import pRetry from "p-retry";
import { HoldfastError } from "../errors.ts";
import type { BareCopy } from "./bare-copy.ts";
import { gitFailure } from "./git-command.ts";

/** Others may push all the time; in a round the fastest wins, and after so long it is told that nobody let us in. */
const patienceMs = 3 * 60_000;
const attempts = 500;
/** The server's own rules; the same push will be refused again. */
const declined = /hook declined|protected branch|denied|not allowed|\b403\b|read.only/i;

export interface Author {
  readonly name: string;
  readonly email: string;
}

/** A push that did not go through, as far as git says why. */
class PushRefused extends Error {}

/** Resolves with the commit that holds `files` on the remote. @throws source-unreachable */
export async function publish(
  copy: BareCopy,
  branch: string,
  author: Author,
  files: ReadonlyMap<string, string>,
  message: string,
): Promise<string> {
  for (const path of files.keys()) {
    if (path.startsWith("/") || path.split("/").includes("..") || path.includes("\0")) {
      throw new HoldfastError("usage", `'${path}' is no path inside the repository`);
    }
  }
  return pRetry(() => publishOnce(copy, branch, author, files, message), {
    retries: attempts - 1,
    minTimeout: 20,
    factor: 1.3,
    maxTimeout: 300,
    maxRetryTime: patienceMs,
    randomize: true,
    shouldRetry: ({ error }) => error instanceof PushRefused && !declined.test(error.message),
  }).catch((error: unknown) => {
    if (!(error instanceof PushRefused)) throw error;
    // Nothing is wrong with our copy, so it is no case for mending.
    throw new HoldfastError(
      "source-unreachable",
      gitFailure("the report could not be pushed", error).message,
      {
        hint: `see whether HOLDFAST_GIT_TOKEN may push to branch '${branch}'`,
        cause: error,
      },
    );
  });
}

async function publishOnce(
  copy: BareCopy,
  branch: string,
  author: Author,
  files: ReadonlyMap<string, string>,
  message: string,
): Promise<string> {
  const aside = await mkdtemp(join(tmpdir(), "holdfast-publish-"));
  try {
    await makeAside(copy, aside);
    // From here on somebody else may be faster; what lies between this and the push is two programs.
    const tip = await copy.freshen(branch);
    const { commit, isChanged } = await commitOnTop(copy, aside, tip, author, files, message);
    if (tip !== undefined && !isChanged) return tip;
    await copy
      .git({ GIT_DIR: aside })
      .raw(["push", "--quiet", "--", copy.access.address, `${commit}:refs/heads/${branch}`])
      .catch((error: unknown) => {
        throw new PushRefused(error instanceof Error ? error.message : String(error), { cause: error });
      });
    return commit;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/**
 * A repository of its own that knows the objects of the copy: fast-import wants a reference, and one that comes and
 * goes in the copy looks like damage to another process that has it checked just then.
 */
async function makeAside(copy: BareCopy, aside: string): Promise<void> {
  await mkdir(join(aside, "objects/info"), { recursive: true });
  await mkdir(join(aside, "refs"));
  await writeFile(join(aside, "objects/info/alternates"), `${resolve(copy.folder, "objects")}\n`);
  await writeFile(join(aside, "HEAD"), "ref: refs/heads/none\n");
}

/**
 * A commit on `tip` that differs from it in `files` alone, in the repository `aside`. One program makes blobs, trees
 * and commit, where plumbing takes five: each is time in which the branch can move. Source: git-fast-import(1).
 */
async function commitOnTop(
  copy: BareCopy,
  aside: string,
  tip: string | undefined,
  { name, email }: Author,
  files: ReadonlyMap<string, string>,
  message: string,
): Promise<{ commit: string; isChanged: boolean }> {
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const stream = [
    "feature done\ncommit refs/heads/report\nmark :1\n",
    `author ${name} <${email}> now\ncommitter ${name} <${email}> now\n`,
    data(message),
    tip === undefined ? "" : `from ${tip}\n`,
    ...[...files].map(([path, text]) => `M 100644 inline ${quoted(path)}\n${data(text)}`),
    '\nget-mark :1\nls :1 ""\n',
    tip === undefined ? "" : `ls ${tip} ""\n`,
    "done\n",
  ].join("");
  const output = await copy.feed(["fast-import", "--quiet", "--date-format=now"], stream, { GIT_DIR: aside });
  const [commit = "", tree, treeOfTip] = output.toString("latin1").split("\n");
  return { commit, isChanged: tree !== treeOfTip };
}

/** As fast-import reads a path that may hold anything but a zero byte. */
function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}
