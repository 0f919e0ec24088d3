/** What people and programs read: order, width, the last line, and JSON that its schema takes. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { pointProof } from "../../../src/health/proof.ts";
import {
  checksJson,
  demoJson,
  listJson,
  listPoints,
  planJson,
  reportJson,
  simulateJson,
  statusJson,
  verdictJson,
} from "../../../src/report/json.ts";
import { renderPlanMarkdown } from "../../../src/report/plan-markdown.ts";
import { renderStatusPage } from "../../../src/report/status-page.ts";
import {
  renderDemoTable,
  renderList,
  renderPlan,
  renderSimulate,
  renderStatus,
  renderVerdict,
} from "../../../src/report/tables.ts";
import { cellWidth, type Paint, plainPaint } from "../../../src/report/text-table.ts";
import type { Plan } from "../../../src/state/plan.ts";
import { catalogue, dayMs, health, nowMs, point, verdict } from "./fixtures.ts";

const marked: Paint = {
  good: (t) => `<g>${t}</g>`,
  bad: (t) => `<b>${t}</b>`,
  warn: (t) => `<w>${t}</w>`,
  dim: (t) => t,
  bold: (t) => t,
};
const plain = { paint: plainPaint, columns: 100, nowMs };
const plan: Plan = {
  apiVersion: "holdfast.dev/v1",
  kind: "Plan",
  revision: "4c2d9a1",
  fingerprint: "f".repeat(64),
  madeAt: "2026-11-22T05:12:00.000Z",
  actions: [
    {
      kind: "run-job",
      policy: "postgresql",
      reason: "missed its slot",
      key: "postgresql/capture",
      slotAt: "2026-11-22T02:00:00.000Z",
    },
    { kind: "tombstone", policy: "redis", reason: "outside the table", point: "20261101T020000Z" },
  ],
  refusals: [
    {
      policy: "mongodb",
      guard: "last-proven",
      message: "would delete the last proven point",
      hint: "verify another first",
    },
  ],
  notes: [],
};
const demo = {
  ok: true,
  components: [{ policy: "postgresql", rpoSeconds: 1.5, rtoSeconds: null, proof: 5 }],
  notShown: [{ component: "s3", line: "sh .ci/minio.sh" }],
  report: "reports/2026/W47.md",
  workdir: "demo",
};
const simulations = [
  {
    policy: "postgresql",
    retention: "postgresql-full",
    reachMs: 30 * dayMs,
    reachHeld: false,
    days: [
      {
        day: "2026-11-22",
        kept: 7,
        added: ["a"],
        lost: [{ id: "b", reason: "outside the table" }],
        sizeBytes: 1,
        oldestAt: null,
      },
    ],
  },
];
const good = [verdict(nowMs - 2 * dayMs, 5)];
const points = listPoints([catalogue([point(nowMs - 3 * dayMs, {}, good), point(nowMs - dayMs)])], nowMs);

describe("json", () => {
  const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true });
  addFormats.default(ajv);
  const cases: readonly (readonly [string, unknown])[] = [
    ["list", listJson(points)],
    ["list", listJson([])],
    ["verify", verdictJson(verdict(nowMs, 4))],
    ["restore", checksJson(true, [{ name: "a", ok: true, detail: "b" }], { directory: "x" })],
    ["plan", planJson(plan)],
    ["status", statusJson([health()], nowMs)],
    [
      "status",
      statusJson(
        [
          health({
            captures: {
              running: false,
              last: { at: "2026-11-22T02:12:00.000Z", outcome: "succeeded" },
              nextAt: "2026-11-23T02:00:00.000Z",
            },
          }),
        ],
        nowMs,
      ),
    ],
    ["report", reportJson({ ok: true, report: "2026/W47.md", files: ["README.md"], commit: null })],
    ["simulate", simulateJson(simulations)],
    ["demo", demoJson(demo)],
  ];
  it.each(cases)("%s fits its schema, and a field less does not", (name, value) => {
    const validate = ajv.compile({
      ...JSON.parse(readFileSync(`schema/output/${name}.schema.json`, "utf8")),
      $id: undefined,
    });
    const read = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
    expect(validate(read), JSON.stringify(validate.errors)).toBe(true);
    delete read[
      name === "list" ? "points" : name === "plan" ? "actions" : name === "simulate" ? "simulations" : "ok"
    ];
    expect(validate(read)).toBe(false);
  });

  it("lists newest first, with the proof that still stands", () => {
    expect(points.map((p) => p.proof)).toEqual([-1, 5]);
    const disproved = point(nowMs, {}, [...good, verdict(nowMs - dayMs, 2, { asked: 4 })]);
    expect(pointProof(disproved).level).toBe(2);
    expect(pointProof(point(nowMs, {}, [...good, verdict(nowMs - dayMs, 1)])).level).toBe(5);
    expect(pointProof(point(nowMs, {}, [...good, verdict(nowMs - dayMs, -1, { asked: 0 })]))).toEqual({
      level: -1,
      at: null,
    });
  });

  it("is not ok when the level asked for was not reached, without a policy, or when unproven", () => {
    expect(verdictJson(verdict(nowMs, 3, { asked: 4, ok: true })).ok).toBe(false);
    expect(checksJson(false, [], { ok: true }).ok).toBe(false);
    expect(statusJson([], nowMs).ok).toBe(false);
    expect(statusJson([health({ proof: "unproven" })], nowMs).ok).toBe(false);
  });
});

describe("text", () => {
  it("keeps to the width and lines up wide letters", () => {
    const wide = points.map((p, i) => ({ ...p, policy: i === 0 ? `${"very-long-".repeat(20)}` : "日本語" }));
    const lines = renderList(wide, plain).split("\n");
    for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(100);
    expect(lines[1]).toContain("日本語");
    expect(lines.at(-1)).toContain("1 proved by a restore");
  });

  it("never paints the unproven good and ends with the verdict", () => {
    const text = renderStatus([health({ proof: "unproven" })], { ...plain, paint: marked });
    expect(text).toContain("<w>unproven</w>");
    expect(text.split("\n").at(-1)).toBe("<w>1 of 1 policy not proved</w>");
    expect(
      renderStatus([health()], { ...plain, paint: marked })
        .split("\n")
        .at(-1),
    ).toMatch(/^<g>/);
    expect(renderStatus([], { ...plain, paint: marked })).toMatch(/^<b>no policy/);
    const last = { at: "2026-11-22T02:12:00.000Z", outcome: "failed" } as const;
    const runs = renderStatus(
      [
        health({ captures: { running: false, last, nextAt: "2026-11-23T02:00:00.000Z" } }),
        health({ policy: "models", captures: { running: true } }),
      ],
      plain,
    );
    expect(runs).toContain("postgresql  3 h ago, failed    in 20 h 48 min");
    expect(runs).toContain("models      runs all the time  –");
    expect(renderVerdict(verdict(nowMs, 3, { asked: 4 }), marked)).toContain(
      "<b>postgresql 20261121T020000Z is NOT proved: level 3 of 4 reached</b>",
    );
    expect(renderVerdict(verdict(nowMs, 5), marked)).toContain(
      "<g>postgresql 20261121T020000Z proved at level 5",
    );
  });

  it("shows a plan's deletions, refusals and the next command", () => {
    const lines = renderPlan(plan, plain).split("\n");
    expect(lines.findIndex((l) => l.startsWith("refused"))).toBeGreaterThan(
      lines.findIndex((l) => l.includes("mark point 20261101T020000Z")),
    );
    expect(lines.slice(-2)).toEqual([
      "2 actions, 1 of them deletes stored data, 1 refused",
      "next: holdfast apply",
    ]);
    expect(renderPlan({ ...plan, actions: [], refusals: [] }, plain)).toBe(
      "nothing to do: what is wanted is there",
    );
  });

  it("says when a table does not hold its reach, and what the demo measured", () => {
    expect(renderSimulate(simulations, plain)).toContain("postgresql-full does NOT hold the reach of 30 d");
    const rows = [
      {
        policy: "postgresql",
        point: "20261122T020000Z",
        finishedAt: "2026-11-22T05:11:50.000Z",
        proof: 5,
        rpoSeconds: 1.5,
        rtoSeconds: 12,
      },
    ];
    const text = renderDemoTable(rows, demo, plain);
    expect(text).toMatch(/20261122T020000Z +10 s ago +level 5 +1\.5 s +12 s/);
    expect(text.split("\n").at(-1)).toBe(
      "every component shown is proved by a restore, and the report says so",
    );
    expect(renderDemoTable([], demo, plain)).toContain("NOT every");
  });
});

describe("plan comment", () => {
  it("has refusals on top and folds long lists", () => {
    const text = renderPlanMarkdown(plan);
    expect(text.indexOf("#### Refused")).toBeLessThan(text.indexOf("<details"));
    expect(text).toContain("**2 actions, 1 of them deletes stored data, 1 refused.**");
    const action = plan.actions[1]!;
    const long = renderPlanMarkdown({
      ...plan,
      actions: Array.from({ length: 5000 }, (_, i) => ({
        ...action,
        policy: `p${i % 700}`,
        reason: "r".repeat(300),
      })),
    });
    expect(long.length).toBeLessThan(65_536);
    expect(long).toContain("too long for one comment");
    expect(long).toContain("<details>");
  });
});

describe("status page", () => {
  const status = {
    cluster: "c",
    version: "0",
    revision: "r",
    state: "no poll for 3 h",
    conditions: [],
    notBuilt: [],
  };
  it("needs nothing from outside and lets a dead loop win over good policies", () => {
    const fine = renderStatusPage([health()], { ...status, ok: true }, nowMs);
    expect(fine).toContain('class="banner good"');
    expect(fine).not.toMatch(/<script|src=|href=|url\(/);
    const dead = renderStatusPage([health()], { ...status, ok: false }, nowMs);
    expect(dead).toContain('class="banner bad" role="status">The reconciler does not run: no poll for 3 h.');
    expect(dead).toContain("<title>FAILING");
  });
});
