/** A byte changed in any file of any report but the newest JSON breaks the chain, at that report. */
import { describe, expect, it } from "vitest";
import { linkReport, verifyChain } from "../../../src/operate/report-chain.ts";

const names = ["2026/W45", "2026/W46", "2026/W47"];

async function chain(): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const [n, name] of names.entries()) {
    const files = new Map([
      [`${name}.md`, `# report ${name}\n`],
      [`${name}/objectives.svg`, `<svg>${n}</svg>\n`],
      [`${name}.json`, JSON.stringify({ name })],
    ]);
    for (const [path, text] of files) all.set(path, text);
    all.set(`${name}.json`, await linkReport(name, files, names.slice(0, n), async (p) => all.get(p)));
  }
  return all;
}
const walk = (files: ReadonlyMap<string, string>) => verifyChain(names, async (path) => files.get(path));

describe("the chain of reports", () => {
  it("holds as written, and the same reports give the same bytes", async () => {
    const files = await chain();
    expect(await walk(files)).toEqual({ checked: 3, unlinked: 0 });
    expect(await chain()).toEqual(files);
  });

  it("breaks at the report in which any byte was changed, or that is gone", async () => {
    const files = await chain();
    for (const [path, text] of files) {
      if (path === "2026/W47.json") continue;
      for (let at = 0; at < text.length; at += 1) {
        const changed = `${text.slice(0, at)}${text[at] === "x" ? "y" : "x"}${text.slice(at + 1)}`;
        const { fault } = await walk(new Map(files).set(path, changed));
        expect(fault?.name, `${path} at ${at}`).toBe(path.slice(0, 8));
      }
      const without = new Map(files);
      without.delete(path);
      expect((await walk(without)).fault?.name).toBe(path.slice(0, 8));
    }
    const two = await verifyChain(names.slice(1), async (path) => files.get(path));
    expect(two.fault?.name).toBe("2026/W45");
  });

  it("says of reports from before the chain that nothing is known", async () => {
    const files = (await chain()).set("2026/W45.json", "{}");
    expect((await walk(files)).fault?.name).toBe("2026/W45");
    expect(await verifyChain(["2026/W44"], async () => "{}")).toEqual({ checked: 0, unlinked: 1 });
  });
});
