/**
 * The alert table as Prometheus rules, each from one metric, and two that no table can hold: a policy without
 * any success yet, and Holdfast itself silent. Pure; the same table gives the same bytes.
 * @see https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
 */
import type { AlertRule, Policy } from "../policy/model.ts";
import { oneLine } from "./escape.ts";

export interface AlertRulesInput {
  readonly alerts: readonly AlertRule[];
  readonly policies: readonly Policy[];
  /** What stands before `NAME.md` in `runbook_url`, with its slash; {@link runbooksFolder} when not given. */
  readonly runbooks?: string;
}

/** Where the pages lie in this repository. */
export const runbooksFolder = "docs/runbooks/";

interface PrometheusRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly severity: AlertRule["severity"];
  readonly summary: string;
  readonly description: string;
  readonly action: string;
  readonly runbook: string;
}

/** Conditions with a page in {@link runbooksFolder}; an alert on another one names none, rather than one that is not there. */
export const runbookPages: readonly string[] = [
  "backup-failed",
  "backup-missing",
  "backup-missing-by-schedule",
  "backup-too-small",
  "verification-failed",
  "verification-overdue",
  "unproven",
  "escrow-unproven",
  "rpo-missed",
  "rto-missed",
  "reach-missed",
  "pitr-gap",
  "log-behind",
  "log-slot-lost",
  "source-drift",
  "job-drift",
  "report-overdue",
  "holdfast-silent",
];

/** Next command by condition; `{{ $labels.policy }}` is filled in by Prometheus. */
const policyLabel = "{{ $labels.policy }}";
const actions: Readonly<Record<string, string>> = {
  "backup-missing": `holdfast backup ${policyLabel}`,
  "backup-too-small": `holdfast list ${policyLabel}`,
  "verification-failed": `holdfast verify ${policyLabel}`,
  "verification-overdue": `holdfast verify ${policyLabel}`,
  unproven: `holdfast verify ${policyLabel}`,
  "escrow-unproven": `holdfast verify ${policyLabel} --level 3 --identity FILE`,
  "rto-missed": `holdfast verify ${policyLabel} --level 5`,
  "pitr-gap": `holdfast backup ${policyLabel}`,
  "log-slot-lost": `holdfast backup ${policyLabel} --full`,
  "job-drift": "holdfast plan",
  "source-drift": "holdfast doctor",
  "report-overdue": "holdfast report --commit",
  "review-missing": "holdfast status",
  uncovered: "holdfast coverage",
  "coverage-unknown": "holdfast coverage",
};
/** What holds for the whole cluster has a metric of its own; everything else is a condition of a policy. */
const fleet: Readonly<Record<string, string>> = {
  "report-overdue": "holdfast_report_overdue == 1",
  "policy-broken": "holdfast_policy_broken == 1",
  "review-missing": "holdfast_review_missing == 1",
};

/** The file for `rule_files`. Names become CamelCase; an alert of the table is never left out. */
export function renderAlertRules(input: AlertRulesInput): string {
  const rules = [...input.alerts.flatMap((alert) => rulesOf(alert, input)), silence];
  return `${[
    "# Written by `holdfast alerts` from the alert table; edit that. Load it with rule_files.",
    "groups:",
    "  - name: holdfast",
    "    rules:",
    ...rules.flatMap((rule) => ruleLines(rule, input.runbooks ?? runbooksFolder)),
  ].join("\n")}\n`;
}

/** `Backup Too Small` is `BackupTooSmall`. */
export function alertName(name: string): string {
  const words = name.normalize("NFKD").match(/[A-Za-z0-9]+/g) ?? ["Alert"];
  return words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join("");
}

function rulesOf(alert: AlertRule, { policies }: AlertRulesInput): readonly PrometheusRule[] {
  const { when, severity, name } = alert;
  const summary = fleet[when] === undefined ? `${policyLabel}: ${alert.condition}` : alert.condition;
  const rule: PrometheusRule = {
    alert: alertName(name),
    expr: fleet[when] ?? `sum by (policy, component) (holdfast_conditions{kind="${when}"}) > 0`,
    severity,
    summary,
    description: `${name}: ${alert.condition}. holdfast status says it with figures.`,
    action: actions[when] ?? "holdfast status",
    runbook: when,
  };
  if (when === "backup-failed") {
    return [
      {
        ...rule,
        expr: "holdfast_backup_last_exit_status != 0",
        summary: `backup of ${policyLabel} failed with exit status {{ $value }}`,
        action: `holdfast status, then holdfast backup ${policyLabel}`,
      },
    ];
  }
  if (when !== "backup-missing") return [rule];
  // Only a clock promises a backup a day; who captures on a change may rightly be silent for longer.
  const daily = policies.filter((p) => p.schedule.kind === "cron" && !p.suspended).map((p) => p.name);
  const bySchedule = {
    ...rule,
    alert: `${rule.alert}BySchedule`,
    runbook: `${rule.runbook}-by-schedule`,
    summary: `${policyLabel} has no backup in its time`,
  };
  if (daily.length === 0) return [bySchedule];
  return [
    {
      ...rule,
      expr: `time() - backup_last_success_timestamp{policy=~"${[...daily].sort().join("|")}"} > 86400`,
      summary: `no backup of ${policyLabel} for {{ $value | humanizeDuration }}`,
    },
    bySchedule,
  ];
}

const silence: PrometheusRule = {
  alert: "HoldfastSilent",
  expr: "absent(holdfast_up == 1)",
  for: "5m",
  severity: "critical",
  summary: "Holdfast is silent or stuck: perhaps nothing is backed up, verified or reported",
  description: "No reconciler with a turning loop has been scraped for five minutes.",
  action: "look at the reconciler's process and log, then holdfast doctor",
  runbook: "holdfast-silent",
};

function ruleLines(rule: PrometheusRule, runbooks: string): readonly string[] {
  const page = runbookPages.includes(rule.runbook) ? `${runbooks}${rule.runbook}.md` : undefined;
  return [
    `      - alert: ${rule.alert}`,
    `        expr: ${quoted(rule.expr)}`,
    ...(rule.for === undefined ? [] : [`        for: ${rule.for}`]),
    `        labels: { severity: ${rule.severity} }`,
    "        annotations:",
    `          summary: ${quoted(rule.summary)}`,
    `          description: ${quoted(rule.description)}`,
    `          action: ${quoted(rule.action)}`,
    ...(page === undefined ? [] : [`          runbook_url: ${quoted(page)}`]),
  ];
}

/** A JSON string is a YAML string. */
function quoted(text: string): string {
  return JSON.stringify(oneLine(text, 600));
}
