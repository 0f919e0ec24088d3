/** Reports pushed while three others push to the same branch all the time: nothing of anybody is lost. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { openGitSource } from "../../../src/source/git.ts";

const pushes = Number(process.env["HOLDFAST_PUSHES"] ?? 10);
const writers = ["anna", "ben", "cleo"];
const folder = mkdtempSync(join(tmpdir(), "holdfast-race-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
const git = (...args: readonly string[]): string =>
  execFileSync("git", [...identity, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

/** Commits and pushes as a person does: on top of what is there, again when somebody was faster, without end. */
const person = `
set -u
n=0
while [ ! -e "$STOP" ]; do
  n=$((n + 1))
  echo "$n" >"$NAME-$n.txt"
  git add --all && git commit --quiet -m "$NAME $n"
  until git push --quiet origin HEAD:main 2>/dev/null; do
    git pull --quiet --rebase origin main 2>/dev/null || exit 1
  done
  echo "$n" >>"$DONE"
  sleep 0.3
done
`;

it(`loses nothing in ${pushes} pushes beside three other writers`, async () => {
  const remote = join(folder, "remote.git");
  const first = join(folder, "first");
  git("init", "--quiet", "--bare", "--initial-branch=main", remote);
  git("clone", "--quiet", remote, first);
  mkdirSync(join(first, "policies"));
  writeFileSync(join(first, "policies/a.yaml"), "a: 1\n");
  git("-C", first, "add", "--all");
  git("-C", first, "commit", "--quiet", "-m", "first");
  git("-C", first, "push", "--quiet", "origin", "HEAD:main");
  const stop = join(folder, "stop");
  const others = writers.map((name) => {
    const clone = join(folder, name);
    git("clone", "--quiet", remote, clone);
    for (const [key, value] of [
      ["user.name", name],
      ["user.email", `${name}@localhost`],
    ] as const)
      git("-C", clone, "config", key, value);
    const done = join(folder, `${name}.done`);
    writeFileSync(done, "");
    const child = spawn("sh", ["-c", person], {
      cwd: clone,
      env: { PATH: process.env["PATH"] ?? "", HOME: folder, NAME: name, STOP: stop, DONE: done },
      stdio: "ignore",
    });
    return { name, done, end: new Promise<number | null>((resolve) => child.once("exit", resolve)) };
  });
  const source = openGitSource({
    url: remote,
    branch: "main",
    path: "policies",
    reportsBranch: "main",
    cacheDirectory: join(folder, "cache"),
    author: { name: "Holdfast", email: "holdfast@localhost" },
    log: silent,
  });
  const commits: string[] = [];
  const startedMs = performance.now();
  try {
    for (let n = 0; n < pushes; n += 1) {
      const text = `report ${n}\n`;
      commits.push(
        await source.publish(
          new Map([
            [`reports/${n}.md`, text],
            ["reports/README.md", text],
          ]),
          `report ${n}`,
        ),
      );
    }
  } finally {
    writeFileSync(stop, "");
  }
  const seconds = (performance.now() - startedMs) / 1000;
  expect(await Promise.all(others.map((o) => o.end))).toEqual([0, 0, 0]);
  git("-C", first, "pull", "--quiet", "--rebase", "origin", "main");
  const there = git("-C", first, "ls-files").split("\n");
  for (let n = 0; n < pushes; n += 1) expect(there).toContain(`reports/${n}.md`);
  let foreign = 0;
  for (const { name, done } of others) {
    const pushed = execFileSync("cat", [done], { encoding: "utf8" }).trim().split("\n");
    expect(pushed.length).toBeGreaterThan(1);
    foreign += pushed.length;
    for (const n of pushed) expect(there).toContain(`${name}-${n}.txt`);
  }
  // Nobody's commit was rewritten: each of ours is in the history of the branch, and it has no merge.
  for (const commit of commits) git("-C", first, "merge-base", "--is-ancestor", commit, "HEAD");
  expect(new Set(commits).size).toBe(pushes);
  expect(git("-C", first, "rev-list", "--count", "HEAD")).toBe(String(1 + pushes + foreign));
  console.log(`${pushes} reports and ${foreign} other commits in ${seconds.toFixed(0)} s, none lost`);
});
