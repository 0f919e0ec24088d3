/** Copies that are damaged, killed or shared, and branches that were rewritten. Random parts print their seed. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { openGitSource } from "../../../src/source/git.ts";
import { seed } from "../../seed.ts";

console.log(`HOLDFAST_SEED=${seed}`);
let state = seed;
/** Mulberry32. */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

const folder = mkdtempSync(join(tmpdir(), "holdfast-git-faults-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let round = 0;
let remote = "";
let clone = "";

function git(...args: readonly string[]): string {
  return execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

function commit(text: string, file = "policies/a.yaml"): string {
  mkdirSync(join(clone, file, ".."), { recursive: true });
  writeFileSync(join(clone, file), text);
  git("-C", clone, "add", "--all");
  git("-C", clone, "commit", "--quiet", "-m", text.trim().slice(0, 40));
  git("-C", clone, "push", "--quiet", "--force", remote, "main");
  return git("-C", clone, "rev-parse", "HEAD");
}

const cacheOf = (name: string) => join(folder, `cache-${round}-${name}`);
function open(name = "own") {
  return openGitSource({
    url: remote,
    branch: "main",
    path: "policies",
    reportsBranch: "main",
    cacheDirectory: cacheOf(name),
    author: { name: "Holdfast", email: "holdfast@localhost" },
    log: silent,
  });
}

beforeEach(() => {
  round += 1;
  remote = join(folder, `remote-${round}.git`);
  clone = join(folder, `clone-${round}`);
  git("init", "--quiet", "--bare", "--initial-branch=main", remote);
  git("init", "--quiet", "--initial-branch=main", clone);
});

it("tells forward from rewritten by the commit in force, not by the one seen last", async () => {
  const inForce = commit("a: 1\n");
  const source = open();
  await source.poll(undefined);
  const broken = commit("a: [\n");
  expect((await source.poll(inForce, inForce)).movement).toBe("forward");
  // The broken commit is amended: rewritten for whoever saw it, forward for the policies in force.
  git("-C", clone, "reset", "--quiet", "--hard", inForce);
  commit("a: 2\n");
  expect((await source.poll(broken, inForce)).movement).toBe("forward");
  git("-C", clone, "checkout", "--quiet", "--orphan", "other");
  git("-C", clone, "branch", "--quiet", "-D", "main");
  git("-C", clone, "branch", "--quiet", "-m", "main");
  const foreign = commit("a: 3\n");
  expect((await source.poll(broken, inForce)).movement).toBe("rewritten");
  // A commit on top of the foreign one is no way around.
  commit("a: 4\n");
  expect((await source.poll(foreign, inForce)).movement).toBe("rewritten");
  // Back to an older commit of the same history: not a descendant either.
  const newest = git("-C", clone, "rev-parse", "HEAD");
  git("-C", clone, "reset", "--quiet", "--hard", "HEAD~1");
  git("-C", clone, "push", "--quiet", "--force", remote, "main");
  expect((await source.poll(newest, newest)).movement).toBe("rewritten");
});

it("reads the right files whatever object of the copy is damaged, and calls nothing rewritten", async () => {
  let inForce = commit("a: 0\n");
  for (let n = 1; n < 6; n += 1) inForce = commit(`a: ${n}\n`, `policies/p${n}.yaml`);
  const source = open();
  await source.poll(undefined);
  for (let n = 0; n < 25; n += 1) {
    const objects = readdirSync(cacheOf("own"), { recursive: true, encoding: "utf8" }).filter((name) => {
      const isFile = statSync(join(cacheOf("own"), name)).isFile();
      return isFile && /^(?:objects|refs|HEAD|config|packed-refs)/.test(name);
    });
    const victim = join(cacheOf("own"), pick(objects));
    chmodSync(victim, 0o600);
    const kind = pick(["cut", "zero", "remove", "flip"] as const);
    if (kind === "cut") truncateSync(victim, Math.floor(statSync(victim).size / 2));
    else if (kind === "remove") rmSync(victim);
    else {
      const bytes = readFileSync(victim);
      if (kind === "zero") bytes.fill(0);
      else if (bytes.length > 0) bytes[Math.floor(random() * bytes.length)] = 0x5a;
      writeFileSync(victim, bytes);
    }
    const next = commit(`a: ${n} ${random()}\n`);
    const { movement, revision } = await source.poll(inForce, inForce);
    expect({ n, victim, kind, movement, commit: revision?.commit }).toEqual({
      n,
      victim,
      kind,
      movement: "forward",
      commit: next,
    });
    expect(new TextDecoder().decode(revision?.files[0]?.bytes)).toContain(`a: ${n} `);
    inForce = next;
  }
});

it("goes on after kill -9 at any moment of a fetch", async () => {
  // Big enough that a fetch takes a while.
  for (let n = 0; n < 400; n += 1) {
    mkdirSync(join(clone, "policies"), { recursive: true });
    writeFileSync(
      join(clone, `policies/p${n}.yaml`),
      Buffer.from(`${random()} `.repeat(800)).toString("base64"),
    );
  }
  const head = commit("a: 1\n");
  const program = join(folder, "poll.ts");
  const at = (path: string) =>
    JSON.stringify(fileURLToPath(new URL(`../../../src/${path}`, import.meta.url)));
  writeFileSync(
    program,
    `import { openGitSource } from ${at("source/git.ts")};
import { silent } from ${at("log.ts")};
const [url, cacheDirectory] = process.argv.slice(2);
const author = { name: "h", email: "h@localhost" };
console.log("polling");
await openGitSource({ url, branch: "main", path: "policies", reportsBranch: "main", cacheDirectory, author, log: silent }).poll(undefined);
`,
  );
  for (let n = 0; n < 8; n += 1) {
    const child: ChildProcess = spawn(process.execPath, [program, remote, cacheOf("killed")], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, random() * 250))]);
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // It had ended before.
    }
    await ended;
    if (n % 2 === 0) continue;
    const { revision } = await open("killed").poll(undefined);
    expect(revision?.commit).toBe(head);
    expect(revision?.files).toHaveLength(401);
    rmSync(cacheOf("killed"), { recursive: true });
  }
});

it("shares one copy between two processes that poll and publish at once", async () => {
  commit("a: 1\n");
  const [loop, report] = [open("shared"), open("shared")];
  await loop.poll(undefined);
  writeFileSync(join(cacheOf("shared"), "kept"), "");
  const failures: unknown[] = [];
  for (let n = 0; n < 15; n += 1) {
    commit(`a: ${n} ${random()}\n`, `notes/${n}.txt`);
    const work = [
      loop.poll("0".repeat(40)),
      report.publish(new Map([[`reports/${n}.md`, `${n}\n`]]), `report ${n}`),
      loop.lastPublished("reports"),
    ];
    for (const { reason } of (await Promise.allSettled(work)).filter((r) => r.status === "rejected"))
      failures.push(reason);
    git("-C", clone, "fetch", "--quiet", remote, "main");
    git("-C", clone, "reset", "--quiet", "--hard", "FETCH_HEAD");
  }
  expect(failures).toEqual([]);
  const names = git("-C", remote, "ls-tree", "-r", "--name-only", "main", "reports/").split("\n");
  expect(names).toHaveLength(15);
  // Neither took the other's lock for damage and threw the copy away.
  expect(readdirSync(cacheOf("shared"))).toContain("kept");
});

it("starts no program for a poll with no change", async () => {
  const head = commit("a: 1\n");
  const source = open();
  await source.poll(undefined);
  const before = process.resourceUsage();
  const children = () => {
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[13]) + Number(fields[14]);
  };
  const childrenBefore = children();
  const polls = 300;
  for (let n = 0; n < polls; n += 1) expect((await source.poll(head, head)).movement).toBe("unchanged");
  const after = process.resourceUsage();
  const ownMs = (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000;
  const childrenMs = (children() - childrenBefore) * 10;
  console.log(
    `poll with no change: ${(ownMs / polls).toFixed(2)} ms of CPU of our own, ${(childrenMs / polls).toFixed(2)} ms of children`,
  );
  expect((ownMs + childrenMs) / polls).toBeLessThan(5);
  expect(childrenMs).toBe(0);
});
