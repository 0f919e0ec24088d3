/** The report this repository carries is as it was written, leads to its evidence, and says nothing of a machine. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyChain } from "../../../src/operate/report-chain.ts";
import { faultOf, linkPattern } from "./follow-links.ts";

const folder = join(import.meta.dirname, "../../../reports");
const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((p) => /\.\w+$/.test(p));
const files = new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
const names = paths.flatMap((path) => /^(\d{4}\/W\d\d)\.md$/.exec(path)?.[1] ?? []);
const newest = names.toSorted().at(-1) ?? "";
const text = files.get(`${newest}.md`) ?? "";
const facts = JSON.parse(files.get(`${newest}.json`) ?? "{}") as {
  readonly writtenAt: string;
  readonly ok: boolean;
  readonly policies: readonly {
    readonly policy: string;
    readonly health: { readonly proven?: { readonly level: number } };
  }[];
};

function walk(changed: ReadonlyMap<string, string>) {
  return verifyChain(names, async (path) => changed.get(path));
}

describe("reports/ of this repository", () => {
  it("is as it was written", async () => {
    expect(await walk(files)).toEqual({ checked: names.length, unlinked: 0 });
    expect(names.length).toBeGreaterThan(0);
  });

  it("shows a changed byte in every file the chain vouches for", async () => {
    const vouched = paths.filter((path) => /^\d{4}\//.test(path) && path !== `${newest}.json`);
    expect(vouched.length).toBeGreaterThan(20);
    for (const path of vouched) {
      const was = files.get(path) ?? "";
      const at = Math.floor(was.length / 2);
      const changed = `${was.slice(0, at)}${was[at] === "x" ? "y" : "x"}${was.slice(at + 1)}`;
      expect((await walk(new Map(files).set(path, changed))).fault?.detail, path).toContain(path);
    }
  });

  it("leads each number to its evidence, and each picture and link to a file", () => {
    const links = [...text.matchAll(linkPattern)];
    expect(links.length).toBeGreaterThan(100);
    const read = (file: string) => files.get(join(dirname(newest), file));
    expect(links.flatMap((link) => faultOf(link, read, Date.parse(facts.writtenAt)) ?? [])).toEqual([]);
    for (const path of paths.filter((p) => p.endsWith(".md")))
      for (const [, target = ""] of (files.get(path) ?? "").matchAll(/\]\(([^)#\s]+)[^)]*\)/g))
        if (!/^https?:/.test(target))
          expect(existsSync(join(folder, dirname(path), target)), `${path}: ${target}`).toBe(true);
  });

  it("has every policy proved by a restore, and names its day in the index and on the badge", () => {
    const day = facts.writtenAt.slice(0, 10);
    expect(facts.ok).toBe(true);
    expect(facts.policies.map((p) => p.policy)).toEqual(
      expect.arrayContaining(["postgresql", "redis", "s3", "secrets"]),
    );
    for (const { policy, health } of facts.policies)
      expect([policy, (health.proven?.level ?? -1) >= 5]).toEqual([policy, true]);
    expect(files.get("README.md")).toContain(`Last written ${day}`);
    expect(files.get("badge.svg")).toContain(`proved, ${day}`);
    expect(text).toContain(`A full rehearsal on ${day}`);
  });

  it("names no folder, port or host of the machine it was made on", () => {
    for (const [path, content] of files) {
      expect(content, path).not.toMatch(
        /\/tmp\/|\/root\b|\/home\/|(?:127\.0\.0\.1|localhost):(?!(?:5432|6379|8200|9000|9010|27017|8123)\b)[1-9]\d{3,4}\b/,
      );
    }
  });
});
