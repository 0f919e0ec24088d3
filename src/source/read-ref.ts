/**
 * The one ref read of a poll, as cheap as the remote allows: a file for a repository on this machine, one
 * HTTP request for a smart server, git itself for everything else.
 * @see git's documentation, "gitprotocol-http" and "gitrepository-layout"
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../errors.ts";
import { type GitAccess, gitFailure, gitIn } from "./git-command.ts";

const commitShape = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const requestDeadlineMs = 20_000;
const answerLimitBytes = 8 * 1024 * 1024;

/** The commit the branch points at now; undefined when there is no such branch. @throws source-unreachable */
export async function readRef(
  branch: string,
  access: GitAccess,
  folder: string,
): Promise<string | undefined> {
  return (
    (await readLocal(access.address, branch)) ??
    (await readHttp(branch, access)) ??
    (await readByGit(branch, access, folder))
  );
}

/** Undefined when the remote is elsewhere or stores its refs in a way we do not read. */
async function readLocal(url: string, branch: string): Promise<string | undefined> {
  const path = url.startsWith("file://") ? fileURLToPath(url) : url.startsWith("/") ? url : undefined;
  if (path === undefined) return undefined;
  for (const folder of [path, join(path, ".git")]) {
    const loose = await readFile(join(folder, "refs/heads", branch), "utf8").catch(() => "");
    if (commitShape.test(loose.trim())) return loose.trim();
    const packed = await readFile(join(folder, "packed-refs"), "utf8").catch(() => "");
    const line = packed.split("\n").find((l) => l.endsWith(` refs/heads/${branch}`));
    const commit = line?.split(" ")[0] ?? "";
    if (commitShape.test(commit)) return commit;
  }
  return undefined;
}

/** Undefined for another transport, or an answer that is not the smart protocol's. @throws source-unreachable */
async function readHttp(branch: string, access: GitAccess): Promise<string | undefined> {
  if (!/^https?:\/\//.test(access.address)) return undefined;
  const headers: Record<string, string> = { "user-agent": "git/holdfast" };
  if (access.authorization !== undefined) headers["authorization"] = access.authorization;
  const address = `${access.address}/info/refs?service=git-upload-pack`;
  let response: Response;
  try {
    response = await fetch(address, { headers, signal: AbortSignal.timeout(requestDeadlineMs) });
  } catch (cause) {
    const reason =
      cause instanceof Error ? ((cause.cause as Error | undefined)?.message ?? cause.message) : String(cause);
    throw new HoldfastError("source-unreachable", `the policy repository does not answer: ${reason}`, {
      cause,
    });
  }
  if (response.status === 401 || response.status === 403 || response.status === 404) {
    throw new HoldfastError("source-unreachable", `the policy repository answers ${response.status}`, {
      hint: "check the address and HOLDFAST_GIT_TOKEN",
    });
  }
  if (response.status >= 500)
    throw new HoldfastError("source-unreachable", `the policy repository answers ${response.status}`);
  const isSmart = response.headers.get("content-type") === "application/x-git-upload-pack-advertisement";
  if (!response.ok || !isSmart) return undefined;
  const text = await response.text();
  if (text.length > answerLimitBytes) return undefined;
  // Each line is four hex digits of length, the commit, a blank, the name, and on the first one a list after NUL.
  return new RegExp(
    `(?:^|\\n|0000)[0-9a-f]{4}([0-9a-f]{40,64}) refs/heads/${branch.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?:\\0|\\n)`,
  ).exec(text)?.[1];
}

async function readByGit(branch: string, access: GitAccess, folder: string): Promise<string | undefined> {
  await mkdir(folder, { recursive: true });
  try {
    const text = await gitIn(folder, access).raw(["ls-remote", "--", access.address, `refs/heads/${branch}`]);
    return text.split(/\s/)[0] === "" ? undefined : text.split(/\s/)[0];
  } catch (error) {
    const failure = gitFailure("the policy repository cannot be read", error);
    throw new HoldfastError("source-unreachable", failure.message, { cause: error });
  }
}
