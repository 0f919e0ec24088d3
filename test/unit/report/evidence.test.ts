/** Every number of a report leads to the line of its JSON that holds it, and order and size leave no trace. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/catalogue/instant.ts";
import { openEvidence } from "../../../src/report/evidence.ts";
import type { ReportInput } from "../../../src/report/input.ts";
import { renderReport } from "../../../src/report/markdown.ts";
import { seed } from "../../seed.ts";
import { catalogue, dayMs, entry, nowMs, point, policy, reportInput, verdict } from "./fixtures.ts";
import { faultOf, linkPattern } from "./follow-links.ts";
import { sampleInput } from "./report-sample.ts";

console.log(`HOLDFAST_SEED=${seed}`);

describe("the links of a report", () => {
  const files = renderReport(sampleInput());
  const text = files.get("2026/W47.md") ?? "";
  const read = (file: string) => files.get(`2026/${file}`);
  const links = [...text.matchAll(linkPattern)];

  it("lead each to the line of the JSON that says the same", () => {
    expect(links.length).toBeGreaterThan(120);
    expect(links.flatMap((link) => faultOf(link, read, nowMs) ?? [])).toEqual([]);
  });

  it("are noticed when they lead to the line beside it, or when the number is another one", () => {
    const moved = links.map((link) => {
      const other = [...link] as unknown as RegExpMatchArray;
      other[3] = String(Number(link[3]) + 1);
      return faultOf(other, read, nowMs);
    });
    expect(moved.filter((fault) => fault === undefined)).toEqual([]);
    const number = links.find((link) => link[4]?.endsWith("/measured/rtoSeconds")) as RegExpMatchArray;
    const changed = [...number] as unknown as RegExpMatchArray;
    changed[1] = `${number[1]} 1 s`;
    expect(faultOf(changed, read, nowMs)).toBeDefined();
  });

  it("leave no number in a table without one", () => {
    const bare = text
      .split("\n")
      .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
      .map((line) => line.replace(linkPattern, "").replace(/`[^`]*`/g, ""))
      .filter((line) => /\d/.test(line));
    expect(bare).toEqual([]);
  });

  it("find a line in any JSON there can be", () => {
    const check = (value: unknown): void => {
      const facts = { first: value, last: { end: "the end" } };
      const json = JSON.stringify(facts, null, 2);
      const { markup } = openEvidence(json, "x.json").link("n", "/last/end");
      const line = Number(/#L(\d+)/.exec(markup)?.[1]);
      expect(json.split("\n")[line - 1]).toBe('    "end": "the end"');
    };
    fc.assert(fc.property(fc.jsonValue(), check), { seed, numRuns: 300 });
    expect(openEvidence("{}", "x.json").link("7 [x]", "/a/b").markup).toBe("7 \\[x\\]");
  });
});

describe("the bytes of a report", () => {
  function shuffled<T>(values: readonly T[], by: readonly number[]): readonly T[] {
    return values
      .map((value, index) => ({ value, key: by[index % by.length] ?? 0 }))
      .sort((a, b) => a.key - b.key)
      .map(({ value }) => value);
  }

  function disordered(input: ReportInput, by: readonly number[]): ReportInput {
    return {
      ...input,
      waivers: shuffled(input.waivers, by),
      existing: shuffled(input.existing, by),
      notBuilt: shuffled(input.notBuilt, by),
      policies: shuffled(input.policies, by).map((p) => ({
        ...p,
        runs: shuffled(p.runs, by),
        prune: shuffled(p.prune, by),
        episodes: shuffled(p.episodes, by),
        drills: shuffled(p.drills, by),
        ...(p.catalogue === undefined
          ? {}
          : {
              catalogue: {
                ...p.catalogue,
                points: shuffled(p.catalogue.points, by).map((at) => ({
                  ...at,
                  verdicts: shuffled(at.verdicts, by),
                })),
              },
            }),
      })),
    };
  }

  it("are the same in whatever order its facts were gathered", () => {
    const wanted = renderReport(sampleInput());
    const order = fc.array(fc.integer(), { minLength: 1, maxLength: 90 });
    fc.assert(
      fc.property(order, (by) => {
        expect(renderReport(disordered(sampleInput(), by))).toEqual(wanted);
      }),
      { seed, numRuns: 40 },
    );
  });

  it("are the ones that are kept here", () => {
    const folder = join(import.meta.dirname, "../../golden/report");
    const files = renderReport(sampleInput());
    if (process.env["HOLDFAST_UPDATE"] === "1") {
      for (const [path, content] of files) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), content);
      }
    }
    const kept = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((p) => /\.\w+$/.test(p));
    expect(kept.sort()).toEqual([...files.keys()].sort());
    for (const [path, content] of files)
      expect(content, `${path}; HOLDFAST_UPDATE=1 writes it again`).toBe(
        readFileSync(join(folder, path), "utf8"),
      );
  });

  it("stay few with 100,000 points, and the report quick", () => {
    const points = Array.from({ length: 100_000 }, (_, i) => {
      const slotMs = nowMs - (100_000 - i) * 600_000;
      return point(
        slotMs,
        {},
        i % 50 === 0 ? [verdict(slotMs + 60_000, i % 350 === 0 ? 1 : 5, { asked: 5 })] : [],
      );
    });
    const many = entry({
      policy: policy({ retention: { name: "all", keep: { hourly: 48, daily: 90, yearly: 10, days: 400 } } }),
      catalogue: catalogue(points),
      drills: points.flatMap((p) => p.verdicts),
    });
    const before = process.cpuUsage();
    const files = renderReport(reportInput([many], { fromAt: instant(nowMs - 700 * dayMs) }));
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1000;
    for (const [path, content] of files) {
      const most = path.endsWith(".svg") ? 60_000 : path.endsWith(".json") ? 2_500_000 : 200_000;
      expect([path, content.length < most]).toEqual([path, true]);
      expect(/NaN|Infinity|undefined/.test(content), path).toBe(false);
    }
    expect(tookMs).toBeLessThan(15_000);
    console.log(`report over 100,000 points: ${Math.round(tookMs)} ms of processor`);
  });
});
