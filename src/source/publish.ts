/**
 * Commits files on top of whatever the remote has now, and pushes without force. Somebody else's commit that
 * came in between is never overwritten: the push is refused and everything is done again on top of it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pRetry, { AbortError } from "p-retry";
import { HoldfastError } from "../errors.ts";
import type { CopyPlace } from "./git.ts";
import { gitFailure, gitIn } from "./git-command.ts";

const attempts = 8;
const refused =
  /rejected|fetch first|non-fast-forward|failed to push|cannot lock ref|stale info|failed to update ref/i;

/** Resolves with the commit that holds `files` on the remote. @throws source-unreachable */
export async function publish(
  place: CopyPlace,
  files: ReadonlyMap<string, string>,
  message: string,
): Promise<string> {
  for (const path of files.keys()) {
    if (path.startsWith("/") || path.split("/").includes("..") || path.includes("\0")) {
      throw new HoldfastError("usage", `'${path}' is no path inside the repository`);
    }
  }
  return pRetry(() => publishOnce(place, files, message), {
    retries: attempts - 1,
    minTimeout: 50,
    factor: 2,
    maxTimeout: 2000,
    randomize: true,
    shouldRetry: ({ error }) => refused.test(error.message),
  }).catch((error: unknown) => {
    throw gitFailure(
      "the report could not be pushed",
      error instanceof AbortError ? error.originalError : error,
    );
  });
}

async function publishOnce(
  place: CopyPlace,
  files: ReadonlyMap<string, string>,
  message: string,
): Promise<string> {
  const { options, access } = place;
  const scratch = await mkdtemp(join(tmpdir(), "holdfast-publish-"));
  try {
    const branch = options.reportsBranch;
    const tip = (await place.fetchIfThere(branch))
      ? (await gitIn(options.cacheDirectory, access).raw(["rev-parse", `refs/heads/${branch}`])).trim()
      : undefined;
    const { name, email } = options.author;
    const git = gitIn(options.cacheDirectory, access, {
      // An index of its own: another publish in the same copy has another one.
      GIT_INDEX_FILE: join(scratch, "index"),
      GIT_AUTHOR_NAME: name,
      GIT_AUTHOR_EMAIL: email,
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
    });
    if (tip !== undefined) await git.raw(["read-tree", tip]);
    for (const [path, text] of files) {
      const file = join(scratch, "blob");
      await writeFile(file, text);
      const id = (await git.raw(["hash-object", "-w", "--no-filters", "--", file])).trim();
      await git.raw(["update-index", "--add", "--cacheinfo", `100644,${id},${path}`]);
    }
    const tree = (await git.raw(["write-tree"])).trim();
    if (tip !== undefined && tree === (await git.raw(["rev-parse", `${tip}^{tree}`])).trim()) return tip;
    const parents = tip === undefined ? [] : ["-p", tip];
    const commit = (await git.raw(["commit-tree", tree, ...parents, "-m", message])).trim();
    await git.raw(["push", "--quiet", "--", options.url, `${commit}:refs/heads/${branch}`]);
    return commit;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
