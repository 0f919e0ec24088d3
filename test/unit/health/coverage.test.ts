/** What the sources hold against what the policies take: one class for each thing, and nothing covered by guess. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import {
  type Coverage,
  coverageConditions,
  isAllCovered,
  judgeCoverage,
  type Selection,
} from "../../../src/health/coverage.ts";
import type { CoverageWaiver, Policy, StoreSettings } from "../../../src/policy/model.ts";
import { renderCoverage } from "../../../src/report/coverage.ts";
import { plainPaint } from "../../../src/report/text-table.ts";
import { itemName, type Looks, type PolicyLook } from "../../../src/state/coverage.ts";
import { seed } from "../../seed.ts";
import { policy } from "../report/fixtures.ts";

const nowMs = Date.parse("2026-11-26T12:00:00Z");
/** Takes the bucket it names. */
const selection: Selection = {
  address: (p) => String(p.connection["endpoint"]),
  misses: (p, item) => (item.name === p.connection["bucket"] ? undefined : "no policy replicates it"),
  isStore: (_p, item, store) => store.bucket === item.name,
};
const waiver = (item: string, until = "2026-12-31"): CoverageWaiver => ({
  item,
  reason: "made anew",
  owner: "platform",
  until,
});
const bucketPolicy = (
  name: string,
  bucket: string,
  waivers: readonly CoverageWaiver[] = [],
  changes: Partial<Policy> = {},
): Policy =>
  policy({
    name,
    component: "s3",
    connection: { endpoint: "minio:9000", bucket },
    coverage: { severity: "warning", waivers },
    ...changes,
  });
const saw = (name: string, buckets: readonly string[], unseen: readonly string[] = []): PolicyLook => ({
  policy: name,
  component: "s3",
  server: "minio:9000",
  items: buckets.map((b) => ({ kind: "bucket", name: b })),
  unseen,
});
const failed = (name: string): PolicyLook => ({ policy: name, component: "s3", cause: "connection refused" });

function judge(
  policies: readonly Policy[],
  looks: readonly PolicyLook[],
  stores: readonly StoreSettings[] = [],
) {
  const all: Looks = { at: "2026-11-26T11:00:00Z", revision: "abc", looks };
  return judgeCoverage({ policies, stores, looks: all, selectionOf: () => selection, nowMs });
}
const classes = ({ items }: Coverage) => Object.fromEntries(items.map((i) => [i.item, i.class]));

describe("coverage", () => {
  it("joins the policies over one source, and sets the stores' own buckets aside", () => {
    const policies = [bucketPolicy("models", "models"), bucketPolicy("images", "images")];
    const stores = [{ name: "primary", bucket: "backups" } as StoreSettings];
    const seen = ["models", "images", "backups", "logs"];
    const found = judge(policies, [saw("models", seen), saw("images", seen)], stores);
    expect(classes(found)).toEqual({
      "bucket/logs": "uncovered",
      "bucket/backups": "set-aside",
      "bucket/models": "covered",
      "bucket/images": "covered",
    });
    expect(found.items.find((i) => i.item === "bucket/models")?.policies).toEqual(["models"]);
    expect(isAllCovered(found)).toBe(false);
  });

  it("is quiet about what is waived, and not any more when the day is over", () => {
    const one = (until: string) =>
      judge(
        [bucketPolicy("models", "models", [waiver("bucket/lo*", until)])],
        [saw("models", ["models", "logs"])],
      );
    expect(one("2026-11-26").items[0]).toMatchObject({ item: "bucket/logs", class: "waived" });
    expect(isAllCovered(one("2026-11-26"))).toBe(true);
    const over = one("2026-11-25");
    expect(over.items[0]).toMatchObject({ class: "uncovered", waiver: { until: "2026-11-25" } });
    expect(coverageConditions(over, [bucketPolicy("models", "models")])[0]?.message).toContain(
      "the waivers of 1 of them have ended",
    );
  });

  it("calls a waiver unused that accepts what is backed up or gone, and says nothing of it after half a look", () => {
    const waivers = [waiver("bucket/models"), waiver("bucket/gone"), waiver("bucket/logs")];
    const policies = [bucketPolicy("models", "models", waivers)];
    expect(judge(policies, [saw("models", ["models", "logs"])]).unusedWaivers.map((w) => w.item)).toEqual([
      "bucket/models",
      "bucket/gone",
    ]);
    const half = judge(policies, [saw("models", ["models", "logs"], ["the other buckets"])]);
    expect(half.unusedWaivers).toEqual([]);
    expect(half.unknown).toEqual([{ policy: "models", cause: "the other buckets" }]);
  });

  it("says unknown and never covered of a source that was away, and still knows what its policy takes", () => {
    const policies = [bucketPolicy("models", "models"), bucketPolicy("images", "images")];
    const found = judge(policies, [failed("models"), saw("images", ["models", "images", "logs"])]);
    expect(found.unknown).toEqual([{ policy: "models", cause: "connection refused" }]);
    expect(classes(found)).toMatchObject({ "bucket/models": "covered", "bucket/logs": "uncovered" });
    const away = judge(policies, [failed("models"), failed("images")]);
    expect(away.items).toEqual([]);
    expect(isAllCovered(away)).toBe(false);
    expect(coverageConditions(away, policies).map((c) => [c.policy, c.kind])).toEqual([
      ["models", "coverage-unknown"],
      ["images", "coverage-unknown"],
    ]);
  });

  it("takes a suspended policy for none, and keeps two sources with equal names apart", () => {
    const idle = bucketPolicy("models", "models", [], { suspended: true });
    expect(judge([idle], [saw("models", ["models"])]).items[0]).toMatchObject({
      class: "uncovered",
      reason: "its policy is suspended and captures nothing",
    });
    const other = bucketPolicy("far", "logs", [], { connection: { endpoint: "far:9000", bucket: "logs" } });
    const looks = [saw("models", ["models", "logs"]), { ...saw("far", ["logs"]), server: "far:9000" }];
    const found = judge([bucketPolicy("models", "models"), other], looks);
    expect(found.items.filter((i) => i.item === "bucket/logs").map((i) => [i.source, i.class])).toEqual([
      ["minio:9000", "uncovered"],
      ["far:9000", "covered"],
    ]);
  });

  it("says nothing of a policy that came after the look", () => {
    const found = judge(
      [bucketPolicy("models", "models"), bucketPolicy("new", "new")],
      [saw("models", ["models"])],
    );
    expect(found.notYetLooked).toEqual(["new"]);
    expect(coverageConditions(found, [])).toEqual([]);
  });

  it("makes one condition of a source, of the severity that its policies ask for", () => {
    const policies = [
      bucketPolicy("models", "models"),
      bucketPolicy("images", "images", [], { coverage: { severity: "critical", waivers: [] } }),
    ];
    const seen = ["models", "images", ...Array.from({ length: 7 }, (_, i) => `extra-${i}`)];
    const found = judge(policies, [saw("models", seen), saw("images", seen)]);
    expect(coverageConditions(found, policies)).toEqual([
      expect.objectContaining({
        policy: "models",
        kind: "uncovered",
        severity: "critical",
        message: expect.stringMatching(
          /^7 things at minio:9000 in no backup: bucket\/extra-0, .* and 2 more$/,
        ),
      }),
    ]);
  });

  it("puts every thing seen into exactly one class, covers nothing by a waiver, and loses none", () => {
    console.info(`HOLDFAST_SEED=${seed}`);
    let state = seed >>> 0;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const names = ["a", "ab", "abc", "b", "bc", "c", "logs", "tmp_1"];
    const patterns = [
      "bucket/a*",
      "bucket/*c",
      "bucket/a*c",
      "bucket/b",
      "bucket/*",
      "table/a",
      "bucket/t*p*1",
    ];
    for (let round = 0; round < 5000; round += 1) {
      const policies = Array.from({ length: 1 + random(4) }, (_, i) => {
        const waivers = Array.from({ length: random(3) }, () =>
          waiver(patterns[random(patterns.length)] ?? "", random(2) === 0 ? "2026-11-25" : "2026-11-26"),
        );
        const endpoint = `server-${random(2)}`;
        const bucket = names[random(names.length)] ?? "";
        return bucketPolicy(`p${i}`, bucket, waivers, {
          connection: { endpoint, bucket },
          suspended: random(5) === 0,
        });
      });
      const looks = policies.flatMap((p): PolicyLook[] => {
        const kind = random(6);
        if (kind === 0) return [];
        if (kind === 1) return [failed(p.name)];
        const seen = names.filter(() => random(2) === 0);
        return [{ ...saw(p.name, seen), server: String(p.connection["endpoint"]) }];
      });
      const found = judge(policies, looks);
      const there = new Set(
        looks.flatMap((l) => ("items" in l ? l.items.map((i) => `${l.server} ${itemName(i)}`) : [])),
      );
      // Once each, and nothing that nobody saw.
      expect(found.items.map((i) => `${i.source} ${i.item}`).sort()).toEqual([...there].sort());
      for (const item of found.items) {
        const here = policies.filter((p) => p.connection["endpoint"] === item.source);
        const name = item.item.slice("bucket/".length);
        const known = here.filter((p) => looks.some((l) => l.policy === p.name));
        const isTaken = known.some((p) => p.connection["bucket"] === name && !p.suspended);
        expect(item.class === "covered").toBe(isTaken);
        if (isTaken) continue;
        const isWaived = known
          .flatMap((p) => p.coverage?.waivers ?? [])
          .some((w) => w.until === "2026-11-26" && globs(w.item, item.item));
        expect(item.class).toBe(isWaived ? "waived" : "uncovered");
      }
      for (const p of policies) {
        const isSeen = looks.some((l) => l.policy === p.name && "items" in l);
        const isTold = found.unknown.some((u) => u.policy === p.name) || found.notYetLooked.includes(p.name);
        expect(isSeen || isTold).toBe(true);
      }
    }
  });

  it("shows what needs somebody, and its JSON is what the schema says", () => {
    const waivers = [waiver("bucket/logs"), waiver("bucket/gone")];
    const policies = [bucketPolicy("models", "models", waivers), bucketPolicy("far", "x")];
    const found = judge(policies, [saw("models", ["models", "logs", "new"]), failed("far")]);
    const text = renderCoverage(found, { columns: 200, paint: plainPaint, all: false });
    expect(text).toMatch(/uncovered +minio:9000 +bucket\/new +no policy replicates it/);
    expect(text).toMatch(
      /waived +minio:9000 +bucket\/logs +accepted until 2026-12-31 by platform: made anew/,
    );
    expect(text).toContain("unknown far: connection refused");
    expect(text).toContain("unused models: the waiver of bucket/gone accepts nothing; remove it");
    expect(text).not.toContain("bucket/models");
    expect(renderCoverage(found, { columns: 200, paint: plainPaint, all: true })).toContain("bucket/models");
    const schema = JSON.parse(readFileSync("schema/output/coverage.schema.json", "utf8"));
    const ajv = new Ajv2020({ strict: false });
    addFormats.default(ajv);
    const validate = ajv.compile({ ...schema, unevaluatedProperties: false });
    expect(
      validate(JSON.parse(JSON.stringify({ ok: false, ...found }))),
      JSON.stringify(validate.errors),
    ).toBe(true);
  });
});

/** The same by another road. */
function globs(pattern: string, text: string): boolean {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${source}$`).test(text);
}
