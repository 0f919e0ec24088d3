/** A policy repository in git: what was committed, and where reports are published. */
import { HoldfastError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { BareCopy } from "./bare-copy.ts";
import { accessTo, requirePlain } from "./git-command.ts";
import { publish } from "./publish.ts";
import { readRef } from "./read-ref.ts";
import { readRevision } from "./read-revision.ts";
import type { PolicySource } from "./source.ts";

const commandDeadlineMs = 120_000;
const mostCommits = 1000;

export interface GitSourceOptions {
  readonly url: string;
  readonly branch: string;
  /** Folder of the policies in the repository; `.` for all of it. */
  readonly path: string;
  readonly reportsBranch: string;
  /** Where the bare copy lives; made when it is not there. */
  readonly cacheDirectory: string;
  readonly token?: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly log: Logger;
}

/** @throws usage for an address or branch that git would read as something else */
export function openGitSource(options: GitSourceOptions): PolicySource {
  const { branch, reportsBranch, cacheDirectory } = options;
  requirePlain("branch", branch);
  requirePlain("branch", reportsBranch);
  const access = accessTo(options.url, options.token, commandDeadlineMs);
  const copy = new BareCopy(cacheDirectory, access, options.log);
  const path = options.path.replace(/^(?:\.\/)+|\/+$/g, "").replace(/^\.$/, "");

  const freshen = async (): Promise<string> => {
    const tip = await copy.freshen(branch);
    if (tip !== undefined) return tip;
    throw new HoldfastError("usage", `the policy repository has no branch '${branch}'`, {
      hint: "name one with --branch",
    });
  };
  return {
    poll: async (seenCommit, inForceCommit = seenCommit) => {
      if (seenCommit !== undefined && (await readRef(branch, access, cacheDirectory)) === seenCommit)
        return { movement: "unchanged" };
      return copy.mending(async () => {
        // The tip that was fetched, and not the one read before it: the branch may have moved in between.
        const tip = await freshen();
        const revision = await readRevision(copy, tip, path, branch);
        if (inForceCommit === undefined) return { movement: "first", revision };
        const isForward = await copy.descends(tip, inForceCommit);
        return { movement: isForward ? "forward" : "rewritten", revision };
      });
    },
    trailersSince: (name, commit, sinceCommit) =>
      copy.mending(async () => {
        requirePlain("revision", commit);
        requirePlain("revision", sinceCommit);
        const format = `--format=%(trailers:key=${name},valueonly,unfold,separator=%x0A)`;
        const log = (...range: readonly string[]) =>
          copy.git().raw(["log", format, ...range, "--end-of-options", commit, "--"]);
        const text = (await copy.hasCommit(sinceCommit))
          ? await log(`--max-count=${mostCommits}`, `^${sinceCommit}`)
          : await log("--max-count=1");
        return text
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => line !== "");
      }),
    read: (revision) =>
      copy.mending(async () => {
        requirePlain("revision", revision);
        await freshen();
        return readRevision(copy, revision, path, branch);
      }),
    publish: (files, message) =>
      copy.mending(() => publish(copy, reportsBranch, options.author, files, message)),
    published: (below) =>
      copy.mending(async () => {
        const tip = await copy.freshen(reportsBranch);
        if (tip === undefined) return [];
        const text = await copy.git().raw(["ls-tree", "-r", "-z", "--name-only", tip, "--", below]);
        return text.split("\0").filter((name) => name !== "");
      }),
    readPublished: (path) =>
      copy.mending(async () => {
        const tip = await copy.freshen(reportsBranch);
        if (tip === undefined) return undefined;
        const listed = await copy.git().raw(["ls-tree", "--name-only", tip, "--", path]);
        return listed.trim() === "" ? undefined : copy.git().raw(["cat-file", "blob", `${tip}:${path}`]);
      }),
    lastPublished: (below) =>
      copy.mending(async () => {
        const tip = await copy.freshen(reportsBranch);
        if (tip === undefined) return undefined;
        const text = await copy.git().raw(["log", "-1", "--format=%H %cI", tip, "--", below]);
        const [commit, at] = text.trim().split(" ");
        return commit === undefined || at === undefined || commit === ""
          ? undefined
          : { commit, at: new Date(at).toISOString() };
      }),
  };
}
