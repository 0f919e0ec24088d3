/** Where this Holdfast itself comes from, so that a workflow can name exactly it. */
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../errors.ts";
import { openExec } from "../exec/system.ts";

const own = fileURLToPath(new URL("../../", import.meta.url));

export interface Origin {
  /** `owner/name` on GitHub. */
  readonly repository: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
}

/** Nothing on GitHub has this id, so a workflow with it fails before it runs anything. */
export const unknownOrigin: Origin = { repository: "OWNER/holdfast", commit: "0".repeat(40) };

/** `owner/name@commit`. A branch or a tag is refused: who can move it could run what he likes. @throws usage */
export function parseOrigin(text: string): Origin {
  const [, repository, commit] = /^([A-Za-z0-9-]+\/[\w.-]+)@([0-9a-f]{40})$/.exec(text) ?? [];
  if (repository !== undefined && commit !== undefined) return { repository, commit };
  throw new HoldfastError("usage", `'${text}' names no commit of a repository`, {
    hint: "write OWNER/NAME@ and the 40 digits of a commit",
  });
}

/** The origin of the checkout this program runs from; undefined where it is none of GitHub's. */
export async function ownOrigin(): Promise<Origin | undefined> {
  const exec = openExec();
  const git = async (...rest: string[]) =>
    (await exec.run({ argv: ["git", "-C", own, ...rest] }, { deadlineMs: 10_000 })).stdout.trim();
  try {
    // A folder inside another repository would give that one's.
    if ((await git("rev-parse", "--show-prefix")) !== "") return undefined;
    const [url, commit] = [await git("remote", "get-url", "origin"), await git("rev-parse", "HEAD")];
    const [, repository] =
      /^(?:https:\/\/(?:[^/@]*@)?|ssh:\/\/git@|git@)github\.com[/:]([A-Za-z0-9-]+\/[\w.-]+?)(?:\.git)?\/?$/.exec(
        url,
      ) ?? [];
    return repository === undefined ? undefined : { repository, commit };
  } catch {
    return undefined;
  }
}
