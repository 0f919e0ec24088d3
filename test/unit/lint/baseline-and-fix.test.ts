/** Old repositories: what was there is known by fingerprint; what is certain is mended by range. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { fixFiles } from "../../../src/cli/lint-files.ts";
import type { Finding, Severity } from "../../../src/finding.ts";
import { baselineOf, compareWith, parseBaseline } from "../../../src/lint/baseline.ts";
import { mend } from "../../../src/lint/fix.ts";
import { lint } from "../../../src/lint/run.ts";
import { nowMs, root, schemas } from "./examples.ts";

const finding = (
  rule: string,
  line: number,
  message = "it is wrong",
  severity: Severity = "error",
): Finding => ({
  rule,
  severity,
  location: { file: "a.yaml", line, column: 1, endLine: line, endColumn: 2 },
  message,
  hint: "",
});

describe("a baseline", () => {
  const old = [finding("log/thinned", 3), finding("log/thinned", 9), finding("store/unused", 4)];
  it("knows what was there wherever it stands by now, and shows what is new, worse or one more", () => {
    const baseline = parseBaseline(JSON.parse(JSON.stringify(baselineOf(old))));
    if (baseline === undefined) throw new Error("it is none");
    const moved = old.map((f) => ({ ...f, location: { ...f.location, line: f.location.line + 40 } }));
    expect(compareWith(baseline, moved)).toEqual({ fresh: [], known: 3, gone: 0 });
    const worse = finding("store/unused", 4, "it is even worse");
    const again = finding("log/thinned", 12);
    expect(compareWith(baseline, [...old.slice(0, 2), again, worse])).toEqual({
      fresh: [again, worse],
      known: 2,
      gone: 1,
    });
  });
  it("never takes an unread document or a secret for known", () => {
    const never = [
      "yaml/syntax",
      "schema/type",
      "reference/unknown",
      "secret/cloud-key",
      "waiver/expired",
    ].map((rule) => finding(rule, 1));
    expect(baselineOf(never).findings).toEqual([]);
    expect(compareWith(baselineOf(old), never).fresh).toEqual(never);
  });
  it("is told from any other file", () => {
    for (const value of [
      null,
      [],
      {},
      { ...baselineOf(old), kind: "Plan" },
      { ...baselineOf(old), findings: [1] },
    ])
      expect(parseBaseline(value)).toBeUndefined();
  });
});

describe("mend", () => {
  it("changes what is in the ranges and not a byte besides", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.stringMatching(/^[a-zß€\r ]{0,9}$/), fc.boolean())), (lines) => {
        const text = lines.map(([line]) => `${line}KEY: 1`).join("\n");
        const fixes = lines.flatMap(([line, isFixed], i) =>
          isFixed
            ? [
                {
                  location: {
                    file: "a",
                    line: i + 1,
                    column: line.length + 1,
                    endLine: i + 1,
                    endColumn: line.length + 4,
                  },
                  text: "another",
                },
              ]
            : [],
        );
        const wanted = lines.map(([line, isFixed]) => `${line}${isFixed ? "another" : "KEY"}: 1`).join("\n");
        expect(mend(text, fixes.toReversed())).toEqual({ text: wanted, count: fixes.length });
      }),
    );
  });
});

describe("lint --fix", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-fix-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const judge = (files: Parameters<typeof lint>[0]) => lint(files, schemas, { nowMs });
  const redis = readFileSync(join(root, "policies/redis.yaml"), "utf8");
  async function fixed(text: string): Promise<string> {
    const path = join(folder, "redis.yaml");
    writeFileSync(path, text);
    await fixFiles([{ path, bytes: readFileSync(path) }], judge);
    return readFileSync(path, "utf8");
  }

  it("mends keys that were meant, with comments, line ends and the byte order mark as they were", async () => {
    const slips = (text: string) =>
      text.replace("  schedule:", "  shedule:").replace("  encryption:", '  "encription":');
    expect(await fixed(slips(redis))).toBe(redis);
    const windows = `\ufeff${redis.replaceAll("\n", "\r\n")}`;
    expect(await fixed(slips(windows))).toBe(windows);
  });
  it("leaves alone what it cannot know", async () => {
    for (const text of [
      redis.replace("  schedule:", "  zzzzzzzzz:"),
      // The key that is meant is there.
      redis.replace("  schedule:", '  shedule: {cron: "0 1 * * *"}\n  schedule:'),
      // Both would become the same key.
      redis.replace("  schedule:", '  shedule: {cron: "0 1 * * *"}\n  schedul:'),
      redis.replace("spec:", "spec: ["),
      redis,
    ])
      expect(await fixed(text)).toBe(text);
  });
});
