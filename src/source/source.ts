/** Where policies come from and where reports go: one branch of one git remote. */
import type { PolicyFile } from "../policy/model.ts";

export interface Revision {
  /** Full commit id. */
  readonly commit: string;
  /** Tree id of the policy folder: equal while no policy has changed, whatever else was committed. */
  readonly tree: string;
  readonly committedAt: string;
  readonly subject: string;
  readonly author: string;
  readonly files: readonly PolicyFile[];
}

/** How a new commit lies to the one in force: `rewritten` when that is no ancestor of it. */
export type Movement = "first" | "unchanged" | "forward" | "rewritten";

export interface PolicySource {
  /**
   * One ref read. `unchanged` (since `seenCommit`) costs nothing more; otherwise the commit is fetched, read
   * and returned, with how it lies to `inForceCommit`, which is the seen one when not given.
   * @throws source-unreachable (transient), usage without the branch, policy-invalid without the folder
   */
  poll(
    seenCommit: string | undefined,
    inForceCommit?: string,
  ): Promise<{ readonly movement: Movement; readonly revision?: Revision }>;
  /**
   * Values of the trailer `name` in the messages of the commits that lead from `sinceCommit` to `commit`, the
   * newest first; of the newest 1000 of them, and of `commit` alone where the other is not known.
   */
  trailersSince(name: string, commit: string, sinceCommit: string): Promise<readonly string[]>;
  /** The files of any revision: a commit, tag or branch name. @throws usage when there is none */
  read(revision: string): Promise<Revision>;
  /**
   * Commits `files` (path to content) on the reports branch and pushes, merging by trying again on top of
   * whatever the remote has by then. Resolves with the new commit, or the present one when nothing differs.
   */
  publish(files: ReadonlyMap<string, string>, message: string): Promise<string>;
  /** Paths of the files at or below `path` on the reports branch, relative to the repository. */
  published(path: string): Promise<readonly string[]>;
  /** Text of one file on the reports branch; undefined when it is not there. */
  readPublished(path: string): Promise<string | undefined>;
  /** The newest commit on the reports branch that touched `path`: when reports really came. */
  lastPublished(path: string): Promise<{ readonly commit: string; readonly at: string } | undefined>;
}
