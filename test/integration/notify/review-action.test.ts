/** The scripts behind the actions, run as GitHub's runner runs them: on the merge of a pull request, without any right. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reviewMarker } from "../../../src/report/review-comment.ts";
import { policiesPath } from "../../e2e/holdfast.ts";

const root = join(import.meta.dirname, "../../..");
let folder: string;

const git = (...args: string[]) =>
  execFileSync("git", ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
    encoding: "utf8",
  }).trim();

/** A merge of a change of one file, as refs/pull/7/merge is. */
async function mergeOf(file: string, change: (text: string) => string): Promise<void> {
  git("checkout", "--quiet", "-B", "change", "main~0");
  const path = join(folder, "policies", file);
  const text = await readFile(path, "utf8");
  expect(change(text)).not.toBe(text);
  await writeFile(path, change(text));
  git("commit", "--quiet", "-am", "change");
  git("checkout", "--quiet", "--detach", "main");
  git("merge", "--quiet", "--no-ff", "-m", "merge", "change");
}

async function review(ref: string) {
  const temporary = await mkdtemp(join(folder, ".run-"));
  const ran = spawnSync("sh", [join(root, ".github/actions/review.sh")], {
    cwd: folder,
    encoding: "utf8",
    env: {
      PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
      RUNNER_TEMP: temporary,
      GITHUB_OUTPUT: join(temporary, "output"),
      GITHUB_STEP_SUMMARY: join(temporary, "summary"),
      GITHUB_REF: ref,
      ...{ POLICIES: "policies", BASE: "HEAD^1", SNAPSHOT: "", FORMAT: "github", FAIL_ON: "error" },
    },
  });
  const read = (name: string) => readFile(join(temporary, name), "utf8").catch(() => "");
  return {
    ran,
    output: await read("output"),
    summary: await read("summary"),
    review: await read("holdfast-review/review.json"),
    number: await read("holdfast-review/pull-request"),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-action-"));
  await cp(policiesPath, join(folder, "policies"), { recursive: true });
  git("init", "--quiet", "--initial-branch=main");
  git("add", "policies");
  git("commit", "--quiet", "-m", "all");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the action", () => {
  it("hands on the review of the merge and its number, and is green for a change that harms nothing", async () => {
    await mergeOf("retention.yaml", (text) => text.replace(/monthly: 12/, "monthly: 13"));
    const { ran, output, number, summary, review: text } = await review("refs/pull/7/merge");
    expect({ status: ran.status, output, number }).toEqual({
      status: 0,
      output: "status=0\nreview=yes\n",
      number: "7\n",
    });
    expect(JSON.parse(text)).toMatchObject({
      base: { revision: git("rev-parse", "HEAD^1") },
      head: { revision: git("rev-parse", "HEAD") },
    });
    expect(summary).toContain(reviewMarker);
  });
  it("hands it on too where the policies are broken, and then fails", async () => {
    await mergeOf("postgresql.yaml", (text) => text.replace("kind: BackupPolicy", "kind: BackupPolicie"));
    const { ran, output, review: text } = await review("refs/pull/8/merge");
    expect(ran.status).toBe(0);
    expect(output).toBe("status=3\nreview=yes\n");
    expect(ran.stdout).toMatch(/^::error file=policies\/postgresql\.yaml,line=/m);
    expect(JSON.parse(text).outlook).toBeNull();
  });
  it("lints alone outside a pull request, and says when the base cannot be had", async () => {
    git("checkout", "--quiet", "--detach", "main");
    const pushed = await review("refs/heads/main");
    expect(pushed.output).toBe("status=0\nreview=no\n");
    // No parent: a checkout that is not deep enough.
    expect((await review("refs/pull/9/merge")).output).toBe("status=2\nreview=no\n");
  });
});

describe("the poster", () => {
  const post = async (files: Readonly<Record<string, string>>, size = 1000) => {
    const place = await mkdtemp(join(folder, ".post-"));
    await mkdir(join(place, "bin"));
    for (const [name, text] of Object.entries(files)) await writeFile(join(place, name), text);
    const names = Object.keys(files);
    execFileSync("python3", ["-m", "zipfile", "-c", "a.zip", ...names], { cwd: place });
    // What GitHub's own program would fetch; the way to GitHub itself is not part of this test.
    await writeFile(
      join(place, "bin/gh"),
      `#!/bin/sh\ncase $2 in */zip) cat ${place}/a.zip ;; *) [ ${size} -gt 4194304 ] || echo 42 ;; esac\n`,
    );
    await chmod(join(place, "bin/gh"), 0o755);
    return spawnSync("sh", [join(root, ".github/actions/comment/post.sh")], {
      cwd: place,
      encoding: "utf8",
      env: {
        PATH: `${place}/bin:${dirname(process.execPath)}:${process.env["PATH"]}`,
        GITHUB_REPOSITORY: "octo-org/backups",
        GITHUB_API_URL: "http://127.0.0.1:9",
        HOLDFAST_GITHUB_TOKEN: "none",
        RUN_ID: "1",
        HEAD_COMMIT: "ab".repeat(20),
        HEAD_REPOSITORY: "octo-org/backups",
      },
    });
  };
  it("runs nothing of the artifact and posts nothing that is no review", async () => {
    const evil = await post({ "review.json": "{}", "pull-request": "7; touch pwned\n" });
    expect(evil.stdout).toContain("names no pull request");
    expect(evil.status).toBe(1);
    const none = await post({ "review.json": "{}", "pull-request": "7\n" });
    expect(none.status).toBe(2);
    expect(none.stderr).toContain("is no review");
    const huge = await post({ "review.json": "0".repeat(200_000_000), "pull-request": "7\n" });
    expect(huge.status).toBe(2);
    expect(huge.stderr).toContain("8388609 bytes");
  });
  it("leaves an artifact alone that is too large", async () => {
    const ran = await post({ "review.json": "{}", "pull-request": "7\n" }, 5_000_000);
    expect({ status: ran.status, out: ran.stdout }).toEqual({
      status: 0,
      out: "the run has left no review of at most 4194304 bytes\n",
    });
  });
});
