/** What a remote or its address may bring along: passwords, odd names, links, a repository around ours. */
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { redact } from "../../../src/secret.ts";
import { openGitSource } from "../../../src/source/git.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-hostile-"));
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

function push(): string {
  git("-C", clone, "add", "--all");
  git("-C", clone, "commit", "--quiet", "-m", "change");
  git("-C", clone, "push", "--quiet", "--force", remote, "main");
  return git("-C", clone, "rev-parse", "HEAD");
}

function write(file: string, text: string): void {
  mkdirSync(join(clone, file, ".."), { recursive: true });
  writeFileSync(join(clone, file), text);
}

function open(given: { url?: string; path?: string; cache?: string; token?: string } = {}) {
  return openGitSource({
    url: given.url ?? remote,
    branch: "main",
    path: given.path ?? "policies",
    reportsBranch: "main",
    cacheDirectory: given.cache ?? join(folder, `cache-${round}`),
    ...(given.token === undefined ? {} : { token: given.token }),
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

describe("credentials", () => {
  it("take a password out of the address before anybody can see it", async () => {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization ?? "");
      const lines = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      if (lines.includes("correct-horse")) seen.push("password in an argument list");
      response.writeHead(seen.length > 1 ? 500 : 200, { "content-type": "text/plain" }).end("no git here");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const source = open({ url: `http://ann:correct-horse%2Fbattery@127.0.0.1:${port}/x.git` });
    const error = await source.poll(undefined).catch((e: unknown) => e);
    server.close();
    expect(error).toMatchObject({ code: "source-unreachable" });
    const basic = `Basic ${btoa("ann:correct-horse/battery")}`;
    // Our own look and git's both show it, and nothing else was seen.
    expect(new Set(seen)).toEqual(new Set([basic]));
    expect(seen.length).toBeGreaterThan(1);
    expect(String(error)).not.toContain("correct-horse");
    expect(redact(`${basic} correct-horse/battery`)).not.toMatch(/correct|battery|Y29ycmVjdC/);
    expect(readFileSync(join(folder, `cache-${round}`, "config"), "utf8")).not.toContain("correct-horse");
  });
});

describe("places", () => {
  it("takes a path relative to where it was said", async () => {
    write("policies/a.yaml", "a: 1\n");
    const commit = push();
    const { revision } = await open({ url: relative(process.cwd(), remote) }).poll(undefined);
    expect(revision?.commit).toBe(commit);
  });

  it("reads a whole repository, and a folder however it is written", async () => {
    write("policies/a.yaml", "a: 1\n");
    write("b.yaml", "b: 1\n");
    push();
    for (const path of [".", "./"])
      expect((await open({ path }).poll(undefined)).revision?.files.map((f) => f.path)).toEqual([
        "b.yaml",
        "policies/a.yaml",
      ]);
    const tree = git("-C", clone, "rev-parse", "HEAD:policies");
    for (const path of ["policies", "policies/", "./policies/"])
      expect((await open({ path }).poll(undefined)).revision?.tree).toBe(tree);
  });

  it("never touches the repository around a copy that has lost its head", async () => {
    write("policies/a.yaml", "a: 1\n");
    push();
    const outer = join(folder, `outer-${round}`);
    git("clone", "--quiet", remote, outer);
    git("-C", outer, "checkout", "--quiet", "-b", "work");
    git("-C", outer, "commit", "--quiet", "--allow-empty", "-m", "mine");
    git("-C", outer, "branch", "--force", "main", "work");
    const mine = git("-C", outer, "rev-parse", "main");
    const cache = join(outer, ".holdfast", "repository.git");
    const source = open({ cache });
    const { revision } = await source.poll(undefined);
    write("policies/a.yaml", "a: 2\n");
    push();
    unlinkSync(join(cache, "HEAD"));
    expect((await source.poll(revision?.commit)).movement).toBe("forward");
    expect(git("-C", outer, "rev-parse", "main")).toBe(mine);
  });
});

describe("contents", () => {
  it("gives names and bytes as they are, follows no link and runs nothing", async () => {
    const names = ["a\nb.yaml", "tab\t.yml", "ünï.yaml", "-rf.yaml", "$(id).yaml", 'q"uote.yaml'];
    for (const name of names) write(`policies/${name}`, `name: ${JSON.stringify(name)}\n`);
    write("policies/.gitattributes", "*.yaml filter=evil export-subst ident\n");
    writeFileSync(join(clone, "policies/bytes.yaml"), Buffer.from([0xff, 0, 10, 13, 10]));
    writeFileSync(join(clone, "policies/empty.yaml"), "");
    symlinkSync("/etc/passwd", join(clone, "policies/link.yaml"));
    push();
    const { revision } = await open().poll(undefined);
    const files = new Map(revision?.files.map((f) => [f.path, f.bytes]));
    for (const name of names)
      expect(new TextDecoder().decode(files.get(`policies/${name}`))).toBe(`name: ${JSON.stringify(name)}\n`);
    expect([...(files.get("policies/bytes.yaml") ?? [])]).toEqual([0xff, 0, 10, 13, 10]);
    expect(files.get("policies/empty.yaml")).toHaveLength(0);
    // What the link says, and not where it points.
    expect(new TextDecoder().decode(files.get("policies/link.yaml"))).toBe("/etc/passwd");
    expect(readdirSync(join(folder, `cache-${round}`))).not.toContain("policies");
  });

  it("cuts a huge file and reads 3,000 files in a moment", async () => {
    write("policies/huge.yaml", "x".repeat(5 * 1024 * 1024));
    for (let n = 0; n < 3000; n += 1) write(`policies/p${n}.yaml`, `n: ${n}\n`);
    push();
    const source = open();
    await source.poll(undefined);
    const startedAtMs = performance.now();
    const { files } = await source.read("main");
    const tookMs = performance.now() - startedAtMs;
    console.log(`${files.length} policy files read in ${tookMs.toFixed(0)} ms`);
    expect(files).toHaveLength(3001);
    expect(files.find((f) => f.path.endsWith("huge.yaml"))?.bytes).toHaveLength(4 * 1024 * 1024);
    // One process for all of them; one each takes longer than this by far.
    expect(tookMs).toBeLessThan(3000);
  });
});

describe("a server that refuses", () => {
  it("is not pushed to again and again, and the copy stays", async () => {
    write("policies/a.yaml", "a: 1\n");
    push();
    const hook = join(remote, "hooks/pre-receive");
    const count = join(folder, `pushes-${round}`);
    writeFileSync(hook, `#!/bin/sh\necho x >>${count}\necho "branch is protected" >&2\nexit 1\n`, {
      mode: 0o755,
    });
    const source = open();
    await source.poll(undefined);
    writeFileSync(join(folder, `cache-${round}`, "kept"), "");
    await expect(source.publish(new Map([["reports/r.md", "r\n"]]), "report")).rejects.toMatchObject({
      code: "source-unreachable",
      hint: expect.stringContaining("HOLDFAST_GIT_TOKEN"),
    });
    expect(readFileSync(count, "utf8")).toBe("x\n");
    expect(readdirSync(join(folder, `cache-${round}`))).toContain("kept");
  });
});
