/** The Grafana dashboard asks only for what is served, in queries that Prometheus can read. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { metricFacts } from "../../../src/report/metrics.ts";
import { dashboard, type Panel, queries } from "./dashboard-panels.ts";

const facts: Readonly<Record<string, readonly [help: string, labels: readonly string[]]>> = metricFacts;
const names = (text: string): readonly string[] =>
  [...text.matchAll(/\b(?:holdfast|backup)_[a-z_]+/g)].map((m) => m[0]);

describe("the Grafana dashboard", () => {
  it("has queries that promtool reads", () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-dashboard-"));
    const rules = queries.map(({ expr }, i) => ({ record: `panel:${i}`, expr }));
    const check = (name: string, value: readonly object[]) => {
      // JSON is YAML.
      writeFileSync(join(folder, name), JSON.stringify({ groups: [{ name: "panels", rules: value }] }));
      return spawnSync("promtool", ["check", "rules", join(folder, name)], { encoding: "utf8" });
    };
    const said = check("panels.yaml", rules);
    const broken = check("broken.yaml", [
      ...rules,
      { record: "panel:x", expr: "max by (policy (holdfast_up)" },
    ]);
    rmSync(folder, { recursive: true, force: true });
    expect(said.stderr).toBe("");
    expect(said.stdout).toContain(`SUCCESS: ${queries.length} rules found`);
    expect(broken.status).not.toBe(0);
  });

  it.each(queries)("names in '$panel' only metrics and labels that are served: $expr", ({ expr, target }) => {
    const used = names(expr);
    expect(used.length).toBeGreaterThan(0);
    for (const name of used) expect(Object.keys(facts)).toContain(name);
    for (const [, name = "", selector = ""] of expr.matchAll(/\b((?:holdfast|backup)_[a-z_]+)\{([^}]*)\}/g))
      for (const [, label] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g))
        expect(facts[name]?.[1]).toContain(label);
    const served = used.flatMap((name) => facts[name]?.[1] ?? []);
    const kept = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap((m) => (m[1] ?? "").split(/,\s*/));
    for (const label of kept) expect(served).toContain(label);
    for (const [, label] of target.legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(kept).toContain(label);
  });

  it("takes its data from the source that was chosen, for the policies that were chosen", () => {
    expect(dashboard.templating.list.map((v) => [v.name, v.type])).toEqual([
      ["datasource", "datasource"],
      ["policy", "query"],
    ]);
    for (const { definition = "" } of dashboard.templating.list)
      for (const name of names(definition)) expect(Object.keys(facts)).toContain(name);
    for (const { target } of queries) expect(target.datasource.uid).toMatch(/^\$\{datasource\}$/);
  });

  it("begins with what can be restored, and shows all that has to be seen", () => {
    const [first, ...rest] = dashboard.panels;
    expect(first).toMatchObject({ type: "row", title: "Verdict: what can be restored" });
    expect(rest[0]?.targets?.[0]?.expr).toContain("holdfast_all_well");
    const shown = new Set(queries.flatMap(({ expr }) => names(expr)));
    expect(Object.keys(facts).filter((name) => !shown.has(name))).toEqual([]);
  });

  it("shows silence as silence, and not as nothing wrong", () => {
    const made = queries.filter(({ expr }) => /\b(vector|absent)\b/.test(expr));
    expect(made.map(({ panel }) => panel)).toEqual(["Reconciler"]);
  });

  it("has panels that say what they show, each with its own place", () => {
    const ids = dashboard.panels.map((p) => p.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const panel of dashboard.panels) {
      expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24);
      if (panel.type !== "row") expect(panel.description, panel.title).toMatch(/\w/);
    }
    const overlap = (a: Panel, b: Panel): boolean =>
      a.gridPos.x < b.gridPos.x + b.gridPos.w &&
      b.gridPos.x < a.gridPos.x + a.gridPos.w &&
      a.gridPos.y < b.gridPos.y + b.gridPos.h &&
      b.gridPos.y < a.gridPos.y + a.gridPos.h;
    const over = dashboard.panels.flatMap((a, i) =>
      dashboard.panels.slice(i + 1).flatMap((b) => (overlap(a, b) ? [`${a.title} / ${b.title}`] : [])),
    );
    expect(over).toEqual([]);
  });
});
