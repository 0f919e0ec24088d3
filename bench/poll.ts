/** CPU of one poll with no change: our process and its children together, over a path remote. Prints JSON. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "../src/log.ts";
import { openGitSource } from "../src/source/git.ts";

const polls = 1000;
const folder = mkdtempSync(join(tmpdir(), "holdfast-poll-"));
try {
  const remote = join(folder, "remote.git");
  const clone = join(folder, "clone");
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=b", "-c", "user.email=b@localhost", ...args], { stdio: "ignore" });
  git("init", "--bare", "--initial-branch=main", remote);
  git("init", "--initial-branch=main", clone);
  mkdirSync(join(clone, "policies"));
  writeFileSync(join(clone, "policies", "a.yaml"), "a: 1\n");
  git("-C", clone, "add", "--all");
  git("-C", clone, "commit", "-m", "policies");
  git("-C", clone, "push", remote, "main");
  const source = openGitSource({
    url: remote,
    branch: "main",
    path: "policies",
    reportsBranch: "main",
    cacheDirectory: join(folder, "cache"),
    author: { name: "b", email: "b@localhost" },
    log: silent,
  });
  const { revision } = await source.poll(undefined);
  const before = process.resourceUsage();
  const startedMs = performance.now();
  for (let i = 0; i < polls; i += 1) await source.poll(revision?.commit);
  const after = process.resourceUsage();
  const cpuMs = (after.userCPUTime - before.userCPUTime + after.systemCPUTime - before.systemCPUTime) / 1000;
  console.log(
    JSON.stringify({
      what: "a poll with no change, remote on the same machine; no child process is started and the store is not asked",
      polls,
      cpuMsPerPoll: Math.round((cpuMs / polls) * 1000) / 1000,
      wallMsPerPoll: Math.round(((performance.now() - startedMs) / polls) * 1000) / 1000,
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
