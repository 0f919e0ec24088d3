/** The policy source on real git remotes: a path, HTTP, forced pushes, broken copies, races. */
import { execFileSync, spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { openGitSource } from "../../../src/source/git.ts";
import type { PolicySource } from "../../../src/source/source.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-source-"));
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

function commit(file: string, text: string, message = "change"): string {
  mkdirSync(join(clone, file, ".."), { recursive: true });
  writeFileSync(join(clone, file), text);
  git("-C", clone, "add", "--all");
  git("-C", clone, "commit", "--quiet", "-m", message);
  git("-C", clone, "push", "--quiet", "--force", remote, "main");
  return git("-C", clone, "rev-parse", "HEAD");
}

function open(url = remote, cache = `cache-${round}`): PolicySource {
  return openGitSource({
    url,
    branch: "main",
    path: "policies",
    reportsBranch: "main",
    cacheDirectory: join(folder, cache),
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

describe("poll", () => {
  it("gives the first revision, says when nothing moved, and what moved", async () => {
    const first = commit("policies/a.yaml", "a: 1\n");
    commit("notes.txt", "not a policy");
    const source = open();
    const one = await source.poll(undefined);
    expect(one.movement).toBe("first");
    expect(one.revision?.files.map((f) => f.path)).toEqual(["policies/a.yaml"]);
    expect(new TextDecoder().decode(one.revision?.files[0]?.bytes)).toBe("a: 1\n");
    expect(await source.poll(one.revision?.commit)).toEqual({ movement: "unchanged" });
    commit("policies/b.yml", "b: 2\n");
    const two = await source.poll(one.revision?.commit);
    expect(two.movement).toBe("forward");
    expect(two.revision?.files.map((f) => f.path)).toEqual(["policies/a.yaml", "policies/b.yml"]);
    expect((await source.read(first)).files).toHaveLength(1);
  });

  it("reads trailers of the commits on the way, merged ones too, and of none before it", async () => {
    const trailer = (value: string): string => `change\n\nText: of its own\n\nHoldfast-Review: ${value}`;
    commit("policies/a.yaml", "a: 1\n", trailer("before"));
    const inForce = git("-C", clone, "rev-parse", "HEAD");
    git("-C", clone, "checkout", "--quiet", "-b", "side");
    writeFileSync(join(clone, "policies/b.yaml"), "b: 2\n");
    git("-C", clone, "add", "--all");
    git("-C", clone, "commit", "--quiet", "-m", trailer("on the side"));
    git("-C", clone, "checkout", "--quiet", "main");
    commit("policies/c.yaml", "c: 1\n", "Holdfast-Review: is no trailer in a subject");
    git("-C", clone, "merge", "--quiet", "--no-ff", "-m", "merge", "side");
    const tip = commit("policies/d.yaml", "d: 1\n", trailer("newest"));
    const source = open();
    await source.poll(undefined);
    const since = (from: string) => source.trailersSince("Holdfast-Review", tip, from);
    expect((await since(inForce)).toSorted()).toEqual(["newest", "on the side"]);
    expect((await since(inForce))[0]).toBe("newest");
    expect(await since("0".repeat(40))).toEqual(["newest"]);
    await expect(source.trailersSince("Holdfast-Review", "--output=/tmp/x", tip)).rejects.toMatchObject({
      code: "usage",
    });
  });

  it("keeps the tree when only other files change", async () => {
    commit("policies/a.yaml", "a: 1\n");
    const source = open();
    const one = await source.poll(undefined);
    commit("reports/2026/W47.md", "report\n");
    const two = await source.poll(one.revision?.commit);
    expect(two.revision?.commit).not.toBe(one.revision?.commit);
    expect(two.revision?.tree).toBe(one.revision?.tree);
  });

  it("sees rewritten history", async () => {
    commit("policies/a.yaml", "a: 1\n");
    const source = open();
    const old = commit("policies/a.yaml", "a: 2\n");
    await source.poll(undefined);
    git("-C", clone, "reset", "--quiet", "--hard", "HEAD~1");
    commit("policies/a.yaml", "a: 3\n");
    expect((await source.poll(old)).movement).toBe("rewritten");
  });

  it("survives a copy that is broken in any way", async () => {
    commit("policies/a.yaml", "a: 1\n");
    await open().poll(undefined);
    const cache = join(folder, `cache-${round}`);
    for (const damage of [
      () => rmSync(join(cache, "objects"), { recursive: true }),
      () => writeFileSync(join(cache, "HEAD"), "garbage"),
      () => {
        for (const name of readdirSync(join(cache, "objects"), { recursive: true, encoding: "utf8" })) {
          if (/^[0-9a-f]{2}\/[0-9a-f]{38}$/.test(name)) {
            execFileSync("chmod", ["u+w", join(cache, "objects", name)]);
            truncateSync(join(cache, "objects", name), 3);
          }
        }
      },
      () => writeFileSync(join(cache, "config"), "[broken"),
    ]) {
      damage();
      commit("policies/a.yaml", `a: ${Math.random()}\n`);
      expect((await open().poll(undefined)).revision?.files).toHaveLength(1);
    }
  });

  it("throws a copy of another repository away", async () => {
    commit("policies/a.yaml", "a: 1\n");
    await open(remote, "shared").poll(undefined);
    const other = join(folder, `other-${round}.git`);
    execFileSync("cp", ["-a", remote, other]);
    expect((await open(other, "shared").poll(undefined)).revision?.files).toHaveLength(1);
  });

  it("calls a remote that is away unreachable, and a branch that is not there a mistake", async () => {
    await expect(open("/nowhere/at/all.git").poll(undefined)).rejects.toMatchObject({
      code: "source-unreachable",
      transient: true,
    });
    await expect(open("http://127.0.0.1:1/x.git").poll(undefined)).rejects.toMatchObject({
      code: "source-unreachable",
    });
    await expect(open().poll(undefined)).rejects.toMatchObject({ code: "usage" });
    commit("readme.txt", "no policies");
    await expect(open().poll(undefined)).rejects.toMatchObject({ code: "policy-invalid" });
  });

  it("refuses addresses that run programs", () => {
    for (const url of ["--upload-pack=touch /tmp/x", "ext::sh -c id", "", "a\nb"])
      expect(() => open(url)).toThrow(/cannot be/);
  });

  it("costs less than 5 ms of CPU when nothing moved", async () => {
    commit("policies/a.yaml", "a: 1\n");
    const source = open();
    const { revision } = await source.poll(undefined);
    const before = process.cpuUsage();
    const polls = 300;
    for (let i = 0; i < polls; i += 1) await source.poll(revision?.commit);
    const { user, system } = process.cpuUsage(before);
    const msPerPoll = (user + system) / 1000 / polls;
    console.log(`${msPerPoll.toFixed(2)} ms of CPU per poll with no change, path remote`);
    expect(msPerPoll).toBeLessThan(5);
  });
});

describe("over HTTP", () => {
  let server: Server;
  let token = "";
  afterAll(() => server?.close());

  it("polls with one request, reads, and publishes with a token that stands in no argument", async () => {
    commit("policies/a.yaml", "a: 1\n");
    git("-C", remote, "config", "http.receivepack", "true");
    const requests: string[] = [];
    server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      token = request.headers.authorization ?? "";
      const url = new URL(request.url ?? "/", "http://localhost");
      const cgi = spawn("git", ["http-backend"], {
        env: {
          PATH: process.env["PATH"],
          GIT_PROJECT_ROOT: folder,
          GIT_HTTP_EXPORT_ALL: "1",
          REQUEST_METHOD: request.method,
          PATH_INFO: url.pathname,
          QUERY_STRING: url.search.slice(1),
          CONTENT_TYPE: request.headers["content-type"] ?? "",
          ...(request.headers["content-encoding"] === undefined
            ? {}
            : { HTTP_CONTENT_ENCODING: request.headers["content-encoding"] }),
          ...(request.headers["git-protocol"] === undefined
            ? {}
            : { GIT_PROTOCOL: String(request.headers["git-protocol"]) }),
          REMOTE_USER: "t",
        },
      });
      request.pipe(cgi.stdin);
      const chunks: Buffer[] = [];
      cgi.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
      cgi.on("close", () => {
        const answer = Buffer.concat(chunks);
        const split = answer.indexOf("\r\n\r\n");
        let status = 200;
        for (const line of answer.subarray(0, split).toString().split("\r\n")) {
          const [name = "", value = ""] = line.split(": ");
          if (name === "Status") status = Number(value.split(" ")[0]);
          else response.setHeader(name, value);
        }
        response.writeHead(status);
        response.end(answer.subarray(split + 4));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/remote-${round}.git`;
    const source = openGitSource({
      url,
      branch: "main",
      path: "policies",
      reportsBranch: "main",
      cacheDirectory: join(folder, `http-${round}`),
      token: "very-secret-token",
      author: { name: "Holdfast", email: "holdfast@localhost" },
      log: silent,
    });
    const { revision } = await source.poll(undefined);
    expect(revision?.files).toHaveLength(1);
    requests.length = 0;
    expect((await source.poll(revision?.commit)).movement).toBe("unchanged");
    expect(requests).toHaveLength(1);
    expect(token).toBe(`Basic ${btoa("x-access-token:very-secret-token")}`);
    await source.publish(new Map([["reports/r.md", "proof\n"]]), "report");
    expect(git("-C", remote, "show", "main:reports/r.md")).toBe("proof");
    const before = process.cpuUsage();
    for (let i = 0; i < 100; i += 1) await source.poll(await headOf());
    const { user, system } = process.cpuUsage(before);
    console.log(
      `${((user + system) / 1000 / 100).toFixed(2)} ms of CPU per poll with no change, HTTP (test server in the same process included)`,
    );
    expect(readFileSync(join(folder, `http-${round}`, "config"), "utf8")).not.toContain("very-secret");
  });

  async function headOf(): Promise<string> {
    return git("-C", remote, "rev-parse", "main");
  }
});

describe("publish", () => {
  it("loses none of the commits of publishers that race, nor somebody else's", async () => {
    commit("policies/a.yaml", "a: 1\n");
    const sources = [0, 1, 2].map((i) => open(remote, `racer-${round}-${i}`));
    const pushes = sources.map(async (source, i) => {
      for (let n = 0; n < 4; n += 1)
        await source.publish(new Map([[`reports/${i}-${n}.md`, `${i} ${n}\n`]]), `report ${i} ${n}`);
    });
    await Promise.all(pushes);
    const names = git("-C", remote, "ls-tree", "-r", "--name-only", "main", "reports/").split("\n");
    expect(names).toHaveLength(12);
    expect(git("-C", remote, "log", "--format=%s", "main").split("\n")).toHaveLength(13);
    // A push that was refused at the last moment leaves its objects behind: dangling, and no damage.
    expect(git("-C", remote, "fsck", "--strict", "--no-dangling")).toBe("");
    expect(git("-C", remote, "show", "main:policies/a.yaml")).toBe("a: 1");
  });

  it("makes no commit when nothing differs, and says who published last", async () => {
    commit("policies/a.yaml", "a: 1\n");
    const source = open();
    expect(await source.lastPublished("reports")).toBeUndefined();
    const one = await source.publish(new Map([["reports/x.md", "x\n"]]), "report");
    expect(await source.publish(new Map([["reports/x.md", "x\n"]]), "report")).toBe(one);
    expect((await source.lastPublished("reports"))?.commit).toBe(one);
    expect(await source.published("reports")).toEqual(["reports/x.md"]);
    expect(await source.readPublished("reports/none.md")).toBeUndefined();
    expect(await source.readPublished("reports/x.md")).toBe("x\n");
  });

  it("refuses paths outside the repository", async () => {
    commit("policies/a.yaml", "a: 1\n");
    for (const path of ["../x", "/etc/x", "a/../../x"]) {
      await expect(open().publish(new Map([[path, "x"]]), "m")).rejects.toMatchObject({ code: "usage" });
    }
  });
});
