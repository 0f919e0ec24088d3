/**
 * The bare copy of one remote. Nothing in it is checked out, run or followed. The remote is the truth: a copy
 * that is broken is thrown away and made again. Several processes may use one copy at the same time.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SimpleGit } from "simple-git";
import { HoldfastError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { feedGit, type GitAccess, gitFailure, gitIn } from "./git-command.ts";
import { readRef } from "./read-ref.ts";

/** A lock or a half-written pack this old belongs to a git that was killed. */
const staleMs = 10 * 60_000;
/** A copy that a new one did not mend is not thrown away at every poll. */
const renewEveryMs = 10 * 60_000;
const rivalPauseMs = 150;

export class BareCopy {
  readonly folder: string;
  readonly access: GitAccess;
  readonly #log: Logger;
  #isReady = false;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string, access: GitAccess, log: Logger) {
    this.folder = folder;
    this.access = access;
    this.#log = log;
  }

  git(extra: Readonly<Record<string, string>> = {}): SimpleGit {
    return gitIn(this.folder, this.access, extra);
  }

  feed(
    args: readonly string[],
    input: string,
    extra: Readonly<Record<string, string>> = {},
  ): Promise<Buffer> {
    return feedGit(this.folder, this.access, args, input, extra);
  }

  /**
   * Runs `work` after what was asked for before. A git that fails is asked again, because another process may
   * have been at the same ref; a copy that is broken is made again first.
   */
  mending<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#mending(work));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #mending<T>(work: () => Promise<T>): Promise<T> {
    const what = "the policy repository cannot be read";
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#prepare();
        return await work();
      } catch (error) {
        // A verdict and not an accident of git.
        if (error instanceof HoldfastError) throw error;
        const failure = gitFailure(what, error);
        if (attempt === 3) throw failure;
        const isSound = await this.#isSound();
        if (isSound && failure.code === "source-unreachable") throw failure;
        const isRecent = Date.now() - this.#renewedAtMs < renewEveryMs;
        if (attempt === 1 && isSound) {
          await new Promise((resolve) => setTimeout(resolve, rivalPauseMs * (1 + Math.random())));
        } else if (isSound && isRecent) {
          throw failure;
        } else {
          this.#log.warn("the copy of the policy repository is made again", { cause: failure.message });
          await this.#throwAway();
        }
      }
    }
  }

  async #isSound(): Promise<boolean> {
    return this.git()
      .raw(["fsck", "--no-dangling", "--no-progress"])
      .then(
        () => true,
        () => false,
      );
  }

  /** Moved away whole, so that another process never sees half a copy. */
  async #throwAway(): Promise<void> {
    const aside = `${this.folder}.broken-${randomUUID()}`;
    await rename(this.folder, aside).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
    this.#isReady = false;
    this.#renewedAtMs = Date.now();
  }

  async #prepare(): Promise<void> {
    const isThere = await stat(join(this.folder, "HEAD")).then(
      () => true,
      () => false,
    );
    if (this.#isReady && isThere) return;
    await mkdir(this.folder, { recursive: true });
    await dropStale(this.folder);
    await this.git().raw(["init", "--bare", "--quiet", "."]);
    const known = await this.#config("remote.origin.url");
    if (known !== "" && known !== this.access.address) {
      await this.#throwAway();
      await mkdir(this.folder, { recursive: true });
      await this.git().raw(["init", "--bare", "--quiet", "."]);
    }
    // For the look above only: the address that is used is given each time.
    if (known !== this.access.address)
      await this.git().raw(["config", "remote.origin.url", this.access.address]);
    this.#isReady = true;
  }

  async #config(name: string): Promise<string> {
    return (
      await this.git()
        .raw(["config", "--get", name])
        .catch(() => "")
    ).trim();
  }

  /**
   * Brings the branch up to date and resolves with its tip; one ref read when nothing moved. Undefined when
   * the remote has no such branch. @throws source-unreachable
   */
  async freshen(branch: string): Promise<string | undefined> {
    const there = await readRef(branch, this.access, this.folder);
    if (there === undefined) return undefined;
    const here = await this.#tip(branch);
    if (here === there) return here;
    const refs = `+refs/heads/${branch}:refs/heads/${branch}`;
    await this.git().raw([
      "fetch",
      // Its lines keep the deadline away, which counts from the last output.
      "--progress",
      "--no-tags",
      "--no-write-fetch-head",
      "--",
      this.access.address,
      refs,
    ]);
    return this.#tip(branch);
  }

  async #tip(branch: string): Promise<string | undefined> {
    const text = await this.git().raw(["rev-parse", "--verify", "--quiet", `refs/heads/${branch}`]);
    return text.trim() === "" ? undefined : text.trim();
  }

  async hasCommit(commit: string): Promise<boolean> {
    return this.git()
      .raw(["cat-file", "-e", `${commit}^{commit}`])
      .then(
        () => true,
        () => false,
      );
  }

  /** Whether `commit` has `ancestor` in its history. A copy that cannot tell throws, and is mended. */
  async descends(commit: string, ancestor: string): Promise<boolean> {
    if (await this.hasCommit(ancestor))
      return (await this.git().raw(["merge-base", ancestor, commit])).trim() === ancestor;
    // Gone with a rewritten branch, or lost by a broken copy: only a whole walk tells.
    await this.git().raw(["rev-list", "--count", commit]);
    return false;
  }
}

async function dropStale(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  for (const entry of entries) {
    if (!entry.endsWith(".lock") && !/(?:^|\/)tmp_(?:pack|obj|idx|rev)_/.test(entry)) continue;
    const facts = await stat(join(folder, entry)).catch(() => undefined);
    if (facts !== undefined && Date.now() - facts.mtimeMs > staleMs)
      await rm(join(folder, entry), { force: true });
  }
}
