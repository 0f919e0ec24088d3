/** What the README shows exists: its links, and the verbs and options of its commands. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const links = [...readme.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
  .map((m) => m[1] ?? "")
  .filter((l) => !/^https?:/.test(l));
const commands = [...readme.matchAll(/npx holdfast ([a-z]+)([^#\n`]*)/g)].map(
  (m) => [m[1] ?? "", m[2] ?? ""] as const,
);

describe("README", () => {
  it("has links and commands to check", () => {
    expect(links.length).toBeGreaterThan(5);
    expect(commands.length).toBeGreaterThan(1);
  });
  it.each(links)("links to %s, which exists", (link) => {
    expect(existsSync(join(root, link))).toBe(true);
  });
  it.each(commands)("shows the verb %s with options it has:%s", (verb, rest) => {
    const source = join(root, `src/cli/verbs/${verb}.ts`);
    expect(existsSync(source)).toBe(true);
    const known = readFileSync(source, "utf8") + readFileSync(join(root, "src/cli/options.ts"), "utf8");
    for (const option of rest.match(/--[a-z-]+/g) ?? []) expect(known).toMatch(new RegExp(`${option}[ "]`));
  });
});
