/** A page for each rule and a rule for each page; what a page tells somebody to type is taken by the command line. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runbookPages } from "../../../src/report/alert-rules.ts";
import { metricFacts } from "../../../src/report/metrics.ts";
import { parseCommand } from "../command-line.ts";

const root = join(import.meta.dirname, "../../..");
const folder = join(root, "docs/runbooks");
const text = (name: string): string => readFileSync(join(folder, `${name}.md`), "utf8");
const pages = readdirSync(folder)
  .filter((name) => name !== "README.md")
  .map((name) => name.replace(/\.md$/, ""));
const conditions: readonly string[] = (
  JSON.parse(readFileSync(join(root, "schema/alert-table.schema.json"), "utf8")) as {
    properties: { alerts: { items: { properties: { when: { enum: readonly string[] } } } } };
  }
).properties.alerts.items.properties.when.enum;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
const rules = (
  parse(readFileSync(join(root, "deploy/prometheus/holdfast-alerts.yaml"), "utf8")) as {
    groups: readonly [{ rules: readonly Rule[] }];
  }
).groups[0].rules;
const pageOf = (rule: Rule): string =>
  (rule.annotations["runbook_url"] ?? "").replace(/^docs\/runbooks\/(.*)\.md$/, "$1");

/** Lines of the `sh` blocks, and the commands in backquotes that begin with the program's name. */
function commandsOf(page: string): readonly string[] {
  const blocks = [...text(page).matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((m) => (m[1] ?? "").split("\n"));
  const inline = [...text(page).matchAll(/`(holdfast [^`]+)`/g)].map((m) => m[1] ?? "");
  return [...blocks, ...inline]
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "");
}

describe("the runbooks", () => {
  it("are one for each rule, named by it, and no other", () => {
    expect([...new Set(rules.map(pageOf))].sort()).toEqual([...pages].sort());
    expect(rules.length).toBe(pages.length);
    expect([...runbookPages].sort()).toEqual([...pages].sort());
  });

  it("are all in the index, with the severity of their rule", () => {
    const index = readFileSync(join(folder, "README.md"), "utf8");
    const rows = [...index.matchAll(/^\| \[(\w+)\]\((.*)\.md\) \| (\w+) \|/gm)].map((m) => m.slice(1, 4));
    expect(rows.sort()).toEqual(rules.map((r) => [r.alert, pageOf(r), r.labels.severity]).sort());
  });

  it("are linked from the table of alerts, which has one row for each rule", () => {
    const table = readFileSync(join(root, "docs/observability.md"), "utf8");
    const rows = [...table.matchAll(/^\| \[(\w+)\]\(runbooks\/(.*)\.md\) \| .* \| (\w+) \|$/gm)];
    expect(rows.map((m) => m.slice(1, 4))).toEqual(rules.map((r) => [r.alert, pageOf(r), r.labels.severity]));
  });

  it("notice a command that is none", async () => {
    await expect(parseCommand("holdfast verify POLICY --depth 4")).rejects.toThrow(/unknown option/);
    await expect(parseCommand("holdfast backup")).rejects.toThrow(/missing required argument/);
    await expect(parseCommand("holdfast verify POLICY --level 9")).rejects.toThrow(/0 to 6/);
    await expect(parseCommand("holdfast at yesterday")).rejects.toThrow(/offset/);
    await expect(parseCommand("holdfast mend POLICY")).rejects.toThrow();
  });
});

describe.each(rules)("the runbook of $alert", (rule) => {
  const page = pageOf(rule);

  it("has its name, severity, metric and parts", () => {
    const metric = /\b(?:holdfast|backup)_[a-z_]+/.exec(rule.expr)?.[0] ?? "";
    const kind = /kind="([a-z-]+)"/.exec(rule.expr)?.[1];
    const [title, , head] = text(page).split("\n");
    expect(title).toBe(`# ${rule.alert}`);
    expect(head).toContain(`Severity ${rule.labels.severity}`);
    expect(head).toContain(`fires from \`${metric}\``);
    if (kind !== undefined) expect(head).toContain(`condition \`${kind}\``);
    expect([...text(page).matchAll(/^## (.*)$/gm)].map((m) => m[1])).toEqual([
      "At risk now",
      "Look first",
      "Usual causes",
      "Mend",
      "It ends",
      "Silence",
    ]);
  });

  it("is short enough to be read at night", () => {
    expect(text(page).split(/\s+/).length).toBeLessThan(500);
  });

  it("names only commands that the command line takes", async () => {
    const commands = commandsOf(page);
    expect(commands.length).toBeGreaterThan(1);
    for (const command of commands)
      await parseCommand(command).catch((error: unknown) =>
        expect(`${command}: ${String(error)}`).toBe(command),
      );
  });

  it("names only metrics, conditions and pages that are there", () => {
    const metrics = [...text(page).matchAll(/\b(?:holdfast|backup)_[a-z_]+\b/g)].map((m) => m[0]);
    // A slot is called after its policy.
    const slots = ["holdfast_postgresql"];
    expect(metrics.filter((m) => !(m in metricFacts) && !slots.includes(m))).toEqual([]);
    for (const [, kind] of text(page).matchAll(/condition `([^`]+)`/g)) expect(conditions).toContain(kind);
    const alerts = rules.map((r) => r.alert);
    for (const [name] of text(page).matchAll(/\b(?:[A-Z][a-z]+|RPO|RTO|WAL){2,}\b/g))
      if (!["PostgreSQL", "MongoDB", "OpenBao", "CronJob", "CronJobs", "GitOps"].includes(name))
        expect(alerts).toContain(name);
    for (const [, link] of text(page).matchAll(/\]\(([^)#]+)\)/g))
      expect(() => readFileSync(join(folder, link ?? ""))).not.toThrow();
  });
});
