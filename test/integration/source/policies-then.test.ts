/** The policies in force at an instant, from real histories: dates, merges, cut clones, other folders. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { policiesThen } from "../../../src/cli/policies-then.ts";
import type { PoliciesThen } from "../../../src/health/time-travel.ts";

const golden = join(import.meta.dirname, "../../golden/policies");
let folder: string;
let clone: string;
const ids: Record<string, string> = {};

function git(where: string, day: number, ...args: string[]): string {
  const date = `2026-11-${String(day).padStart(2, "0")}T12:00:00Z`;
  const env = {
    ...process.env,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_DATE: date,
    GIT_CONFIG_GLOBAL: "/dev/null",
  };
  const who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
  return execFileSync("git", ["-C", where, ...who, ...args], { encoding: "utf8", env }).trim();
}
function commit(day: number, name: string): void {
  git(clone, day, "add", "--all");
  git(clone, day, "commit", "--quiet", "--message", name);
  ids[name] = git(clone, day, "rev-parse", "HEAD");
}
const ask = (at: string, policies = join(clone, "policies")): Promise<PoliciesThen> =>
  policiesThen({ policies }, Date.parse(at));
const names = (then: PoliciesThen): readonly string[] =>
  then.kind === "known" ? then.set.policies.map((p) => p.name).sort() : [then.why];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-then-"));
  clone = join(folder, "clone");
  mkdirSync(clone);
  git(clone, 1, "init", "--quiet", "--initial-branch=main");
  writeFileSync(join(clone, "README"), "nothing yet\n");
  commit(1, "no policies");
  cpSync(golden, join(clone, "policies"), { recursive: true });
  rmSync(join(clone, "policies/redis.yaml"));
  commit(5, "without redis");
  // Written on the 7th, merged on the 10th.
  git(clone, 7, "checkout", "--quiet", "-b", "side");
  cpSync(join(golden, "redis.yaml"), join(clone, "policies/redis.yaml"));
  commit(7, "redis on a branch");
  git(clone, 10, "checkout", "--quiet", "main");
  git(clone, 10, "merge", "--quiet", "--no-ff", "--message", "merge", "side");
  ids["merge"] = git(clone, 10, "rev-parse", "HEAD");
  writeFileSync(join(clone, "policies/mongodb.yaml"), "kind: [\n");
  commit(15, "broken");
  rmSync(join(clone, "policies/mongodb.yaml"));
  commit(20, "mended");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the policies in force then", () => {
  it("are those of the last commit at or before the instant, to the second", async () => {
    expect(await ask("2026-11-05T12:00:00.900Z")).toMatchObject({
      kind: "known",
      revision: ids["without redis"],
      committedAt: "2026-11-05T12:00:00.000Z",
      unreadableFiles: [],
    });
    expect(await ask("2026-11-05T11:59:59Z")).toMatchObject({ revision: ids["no policies"] });
    expect(names(await ask("2026-11-05T11:59:59Z"))).toEqual([]);
  });

  it("change with the merge and not with the commit that was merged", async () => {
    const before = await ask("2026-11-09T00:00:00Z");
    expect(before).toMatchObject({ revision: ids["without redis"] });
    expect(names(before)).not.toContain("redis");
    const after = await ask("2026-11-10T12:00:00Z");
    expect(after).toMatchObject({ revision: ids["merge"] });
    expect(names(after)).toContain("redis");
  });

  it("name a file of then that cannot be used", async () => {
    const then = await ask("2026-11-16T00:00:00Z");
    if (then.kind !== "known") throw new Error(then.why);
    expect(then.unreadableFiles).toEqual([expect.stringMatching(/mongodb\.yaml$/)]);
    expect(names(then)).not.toContain("mongodb");
  });

  it("are unknown, with the reason, where there is no history to ask", async () => {
    expect(names(await ask("2026-10-01T00:00:00Z"))).toEqual(["the history of the policies begins later"]);
    const cut = join(folder, "cut");
    execFileSync("git", ["clone", "--quiet", "--depth", "1", `file://${clone}`, cut]);
    expect(names(await ask("2026-11-06T00:00:00Z", join(cut, "policies")))[0]).toContain("--unshallow");
    expect(await ask("2026-11-21T00:00:00Z", join(cut, "policies"))).toMatchObject({ kind: "known" });
    const beside = join(clone, "beside");
    cpSync(golden, beside, { recursive: true });
    expect(names(await ask("2026-11-21T00:00:00Z", beside))[0]).toContain("is not in the git repository");
    const plain = join(folder, "plain");
    cpSync(golden, plain, { recursive: true });
    expect(names(await ask("2026-11-21T00:00:00Z", plain))[0]).toContain("is in no git repository");
    const bundle = await policiesThen({ policies: plain, bundle: "b.json" }, 0);
    expect(names(bundle)[0]).toContain("a bundle holds one revision");
  });
});
