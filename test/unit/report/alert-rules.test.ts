/** The rules that are checked in are the table's, and each is known to fire, to keep quiet and to wait. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderAlertRules } from "../../../src/report/alert-rules.ts";

const root = join(import.meta.dirname, "../../..");
const folder = join(root, "deploy/prometheus");
const read = (name: string): unknown => parse(readFileSync(join(folder, name), "utf8"));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
}
interface Case {
  readonly alertname: string;
  readonly eval_time: string;
  readonly exp_alerts: readonly object[];
}
interface Group {
  readonly name: string;
  readonly input_series: readonly { readonly series: string }[];
  readonly alert_rule_test: readonly Case[];
}
const { rules } = (read("holdfast-alerts.yaml") as { groups: readonly [{ rules: readonly Rule[] }] })
  .groups[0];
const { tests, evaluation_interval: interval } = read("holdfast-alerts.test.yaml") as {
  readonly tests: readonly Group[];
  readonly evaluation_interval: string;
};
const minutes = (text: string): number => Number(/^(\d+)m$/.exec(text)?.[1]);
const metricOf = (rule: Rule): string => /\b(?:holdfast|backup)_[a-z_]+/.exec(rule.expr)?.[0] ?? "";

/** Groups with the cases of one rule in them, in their order. */
function casesOf(rule: Rule): readonly (Group & { readonly own: readonly Case[] })[] {
  return tests
    .map((group) => ({ ...group, own: group.alert_rule_test.filter((c) => c.alertname === rule.alert) }))
    .filter((group) => group.own.length > 0);
}

it("the rules in deploy/prometheus are what holdfast alerts prints for this repository", () => {
  const printed = execFileSync(process.execPath, ["src/cli/main.ts", "alerts", "--policies", "policies"], {
    cwd: root,
    encoding: "utf8",
  });
  expect(readFileSync(join(folder, "holdfast-alerts.yaml"), "utf8")).toBe(printed);
}, 60_000);

describe.each(rules)("the promtool cases of $alert", (rule) => {
  const groups = casesOf(rule);

  it("have one that fires and one that is quiet though its metric is there", () => {
    expect(groups.flatMap((g) => g.own).some((c) => c.exp_alerts.length > 0)).toBe(true);
    const metric = metricOf(rule);
    expect(metric).not.toBe("");
    const quiet = groups
      .filter((g) => g.input_series.some((s) => s.series.split("{")[0] === metric))
      .flatMap((g) => g.own.filter((c) => c.exp_alerts.length === 0));
    expect(quiet.length).toBeGreaterThan(0);
  });
});

describe.each(rules.filter((r) => r.for !== undefined))(
  "the promtool cases of $alert, which waits",
  (rule) => {
    it("have one a step before it fires", () => {
      expect(interval).toBe("1m");
      const near = casesOf(rule).filter((g) => {
        const fires = g.own.filter((c) => c.exp_alerts.length > 0).map((c) => minutes(c.eval_time));
        const quiet = g.own.filter((c) => c.exp_alerts.length === 0).map((c) => minutes(c.eval_time));
        return fires.some((at) => quiet.includes(at - 1));
      });
      expect(near.map((g) => g.name)).not.toEqual([]);
    });
  },
);

it("no promtool case is about a rule that is not there", () => {
  const known = rules.map((r) => r.alert);
  const named = tests.flatMap((g) => g.alert_rule_test.map((c) => c.alertname));
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});

describe("where the pages of the rules lie", () => {
  const alert = {
    name: "Backup Failed",
    condition: "job exit status is not 0",
    when: "backup-failed",
    severity: "critical",
    receivers: [],
  } as const;
  const urls = (text: string): readonly string[] =>
    [...text.matchAll(/runbook_url: "(.*)"/g)].map((m) => m[1] ?? "");

  it("is this repository, or what was given", () => {
    expect(urls(renderAlertRules({ alerts: [alert], policies: [] }))).toEqual([
      "docs/runbooks/backup-failed.md",
      "docs/runbooks/holdfast-silent.md",
    ]);
    const printed = execFileSync(
      process.execPath,
      [
        "src/cli/main.ts",
        "alerts",
        "--policies",
        "policies",
        "--runbooks",
        "https://wiki.example.org/backup",
      ],
      { cwd: root, encoding: "utf8" },
    );
    expect(urls(printed)).toHaveLength(rules.length);
    for (const url of urls(printed))
      expect(url).toMatch(/^https:\/\/wiki\.example\.org\/backup\/[a-z-]+\.md$/);
  }, 60_000);

  it("is by condition, whatever the alert is called, and nowhere for a condition without a page", () => {
    const alerts = [
      { ...alert, name: "Sicherung fehlt", when: "backup-missing" },
      { ...alert, name: "Store gone", when: "store-unreachable" },
    ];
    expect(urls(renderAlertRules({ alerts, policies: [] }))).toEqual([
      "docs/runbooks/backup-missing-by-schedule.md",
      "docs/runbooks/holdfast-silent.md",
    ]);
  });
});
