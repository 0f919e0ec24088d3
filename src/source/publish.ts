/**
 * Commits files on top of whatever the remote has now, and pushes without force. Somebody else's commit that
 * came in between is never overwritten: the push is refused and everything is done again on top of it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  { name, email }: Author,
  files: ReadonlyMap<string, string>,
  message: string,
): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "holdfast-publish-"));
  try {
    // What does not hang on the tip comes first: from there on somebody else may be faster.
    const texts = [...files.entries()].map(([path, text], n) => ({ path, text, at: join(scratch, `${n}`) }));
    for (const { at, text } of texts) await writeFile(at, text);
    const hashed = await copy.feed(
      ["hash-object", "-w", "--no-filters", "--stdin-paths"],
      texts.map(({ at }) => `${at}\n`).join(""),
    );
    const ids = hashed.toString("latin1").split("\n");
    const tip = await copy.freshen(branch);
    const extra = {
      // An index of its own: another publish in the same copy has another one.
      GIT_INDEX_FILE: join(scratch, "index"),
      GIT_AUTHOR_NAME: name,
      GIT_AUTHOR_EMAIL: email,
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
    };
    const git = copy.git(extra);
    if (tip !== undefined) await git.raw(["read-tree", tip]);
    const entries = texts.map(({ path }, n) => `100644 ${ids[n]}\t${path}\0`).join("");
    await copy.feed(["update-index", "-z", "--add", "--replace", "--index-info"], entries, extra);
    const tree = (await git.raw(["write-tree"])).trim();
    if (tip !== undefined && tree === (await git.raw(["rev-parse", `${tip}^{tree}`])).trim()) return tip;
    const parents = tip === undefined ? [] : ["-p", tip];
    const commit = (await git.raw(["commit-tree", tree, ...parents, "-m", message])).trim();
    await git
      .raw(["push", "--quiet", "--", copy.access.address, `${commit}:refs/heads/${branch}`])
      .catch((error: unknown) => {
        throw new PushRefused(error instanceof Error ? error.message : String(error), { cause: error });
      });
    return commit;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
