/**
 * A policy repository in git, read through a bare copy without a checkout: nothing in it is ever run or
 * followed. A copy that is broken is thrown away and made again, because the remote is the truth.
 */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { PolicyFile } from "../policy/model.ts";
import { type GitAccess, gitFailure, gitIn, requirePlain } from "./git-command.ts";
import { publish } from "./publish.ts";
import { readRef } from "./read-ref.ts";
import type { Movement, PolicySource, Revision } from "./source.ts";

const commandDeadlineMs = 120_000;
/** A lock file this old belongs to a git that was killed. */
const staleLockMs = 10 * 60_000;
const blobLimitBytes = 4 * 1024 * 1024;

export interface GitSourceOptions {
  readonly url: string;
  readonly branch: string;
  /** Folder of the policies in the repository. */
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
  requirePlain("address", options.url);
  requirePlain("branch", options.branch);
  requirePlain("branch", options.reportsBranch);
  const access: GitAccess = {
    deadlineMs: commandDeadlineMs,
    ...(options.token === undefined ? {} : { token: options.token }),
  };
  const copy = new BareCopy(options, access);
  return {
    poll: async (knownCommit) => {
      await mkdir(options.cacheDirectory, { recursive: true });
      const commit = await readRef(options.url, options.branch, access, options.cacheDirectory);
      if (commit === knownCommit) return { movement: "unchanged" };
      return copy.mending(async () => {
        await copy.fetch(options.branch);
        const revision = await copy.revision(commit);
        return { movement: await copy.movement(knownCommit, commit), revision };
      });
    },
    read: (revision) =>
      copy.mending(async () => {
        requirePlain("revision", revision);
        await copy.fetch(options.branch);
        return copy.revision(revision);
      }),
    publish: (files, message) => copy.mending(() => publish(copy.place(), files, message)),
    published: (path) =>
      copy.mending(async () => {
        if (!(await copy.fetchIfThere(options.reportsBranch))) return [];
        const text = await copy
          .git()
          .raw(["ls-tree", "-r", "-z", "--name-only", `refs/heads/${options.reportsBranch}`, "--", path]);
        return text.split("\0").filter((name) => name !== "");
      }),
    lastPublished: (path) =>
      copy.mending(async () => {
        if (!(await copy.fetchIfThere(options.reportsBranch))) return undefined;
        const text = await copy
          .git()
          .raw(["log", "-1", "--format=%H %cI", `refs/heads/${options.reportsBranch}`, "--", path]);
        const [commit, at] = text.trim().split(" ");
        return commit === undefined || at === undefined || commit === ""
          ? undefined
          : { commit, at: new Date(at).toISOString() };
      }),
  };
}

/** What publishing needs to know of the copy. */
export interface CopyPlace {
  readonly options: GitSourceOptions;
  readonly access: GitAccess;
  fetchIfThere(branch: string): Promise<boolean>;
}

class BareCopy {
  readonly #options: GitSourceOptions;
  readonly #access: GitAccess;
  #isReady = false;

  constructor(options: GitSourceOptions, access: GitAccess) {
    this.#options = options;
    this.#access = access;
  }

  git() {
    return gitIn(this.#options.cacheDirectory, this.#access);
  }

  place(): CopyPlace {
    return {
      options: this.#options,
      access: this.#access,
      fetchIfThere: (branch) => this.fetchIfThere(branch),
    };
  }

  /** Runs `work`; when the copy turns out to be broken it is made again once and `work` is tried again. */
  async mending<T>(work: () => Promise<T>): Promise<T> {
    try {
      await this.#prepare();
      return await work();
    } catch (error) {
      const failure = gitFailure("git failed", error);
      if (failure.code !== "tool-failed") throw failure;
      this.#options.log.warn("the copy of the policy repository is made again", { cause: failure.message });
      await rm(this.#options.cacheDirectory, { recursive: true, force: true });
      this.#isReady = false;
      try {
        await this.#prepare();
        return await work();
      } catch (second) {
        throw gitFailure("the policy repository cannot be read", second);
      }
    }
  }

  async #prepare(): Promise<void> {
    if (this.#isReady) return;
    const { cacheDirectory, url } = this.#options;
    await mkdir(cacheDirectory, { recursive: true });
    await dropStaleLocks(cacheDirectory);
    await this.git().raw(["init", "--bare", "--quiet", "."]);
    const known = await this.git()
      .raw(["config", "--get", "remote.origin.url"])
      .catch(() => "");
    if (known.trim() !== "" && known.trim() !== withoutPassword(url)) {
      await rm(cacheDirectory, { recursive: true, force: true });
      await mkdir(cacheDirectory, { recursive: true });
      await this.git().raw(["init", "--bare", "--quiet", "."]);
    }
    // For the look above only: the address that is used is given each time, with what it may carry.
    await this.git().raw(["config", "remote.origin.url", withoutPassword(url)]);
    this.#isReady = true;
  }

  async fetch(branch: string): Promise<void> {
    const refs = `+refs/heads/${branch}:refs/heads/${branch}`;
    await this.git().raw([
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-write-fetch-head",
      "--",
      this.#options.url,
      refs,
    ]);
  }

  /** False when the remote has no such branch yet. */
  async fetchIfThere(branch: string): Promise<boolean> {
    try {
      await this.fetch(branch);
      return true;
    } catch (error) {
      if (/couldn't find remote ref/i.test(String(error))) return false;
      throw error;
    }
  }

  async movement(known: string | undefined, commit: string): Promise<Movement> {
    if (known === undefined) return "first";
    const base = await this.git()
      .raw(["merge-base", known, commit])
      .catch(() => "");
    return base.trim() === known ? "forward" : "rewritten";
  }

  /** @throws usage when there is no such revision; policy-invalid when the folder is not in it */
  async revision(name: string): Promise<Revision> {
    const text = await this.git()
      .raw(["log", "-1", "--format=%H%x00%cI%x00%s%x00%an <%ae>", "--end-of-options", name, "--"])
      .catch((cause: unknown) => {
        throw new HoldfastError("usage", `the policy repository has no revision '${name}'`, { cause });
      });
    const [commit = "", committedAt = "", subject = "", author = ""] = text.trim().split("\0");
    const tree = await this.#treeOf(commit);
    const listing = await this.git().raw([
      "ls-tree",
      "-r",
      "-z",
      "-l",
      commit,
      "--",
      `${this.#options.path}/`,
    ]);
    const files: PolicyFile[] = [];
    for (const line of listing.split("\0")) {
      const match = /^(\d+) (\w+) ([0-9a-f]+)\s+(\d+|-)\t([\s\S]+)$/.exec(line);
      if (match === null || match[2] !== "blob" || !/\.ya?ml$/i.test(match[5] ?? "")) continue;
      files.push({ path: match[5] ?? "", bytes: await this.#blob(match[3] ?? "", Number(match[4])) });
    }
    return { commit, tree, committedAt, subject, author, files };
  }

  async #treeOf(commit: string): Promise<string> {
    const { path, branch } = this.#options;
    const text = await this.git()
      .raw(["rev-parse", "--verify", "--quiet", `${commit}:${path}`])
      .catch(() => "");
    if (text.trim() !== "") return text.trim();
    throw new HoldfastError("policy-invalid", `branch '${branch}' has no folder '${path}'`, {
      hint: "name the folder of the policies with --path, or push it",
    });
  }

  /** A file too large for a policy is cut: lint says that it is too large whatever follows. */
  async #blob(id: string, sizeBytes: number): Promise<Uint8Array> {
    const bytes = (await this.git().binaryCatFile(["blob", id])) as Buffer;
    return sizeBytes > blobLimitBytes ? bytes.subarray(0, blobLimitBytes) : bytes;
  }
}

function withoutPassword(url: string): string {
  return url.replace(/(:\/\/)[^/@]*@/, "$1");
}

async function dropStaleLocks(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  for (const entry of entries) {
    if (!entry.endsWith(".lock")) continue;
    const facts = await stat(join(folder, entry)).catch(() => undefined);
    if (facts !== undefined && Date.now() - facts.mtimeMs > staleLockMs)
      await rm(join(folder, entry), { force: true });
  }
}
