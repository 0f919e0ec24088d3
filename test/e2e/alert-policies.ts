/** Policies of the world in which every alert is fired: who is watched, and the figures that make a fault quick. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { policiesPath } from "./holdfast.ts";

export interface AlertPlaces {
  readonly remote: string;
  readonly store: string;
  readonly runner: string;
  readonly escrow: string;
  readonly alertmanagerPort: number;
  readonly receiverPort: number;
  /** Redis servers. */
  readonly cachePort: number;
  readonly sessionsPort: number;
  /** PostgreSQL servers: of today, and the one whose clock can be moved. */
  readonly ordersPort: number;
  readonly archivePort: number;
}

/** Only these are in force in the world's past. */
export const pastPolicies = ["archive", "alerts", "checklists", "platform", "retention"] as const;
/** In force when everything is well. */
export const watched = ["archive", "cache", "journal", "ledger", "orders", "sessions"] as const;

export const cachePassword = "of-yesterday";
/** The reports' remote refuses them; so long after its start the reconciler's silence is told. */
const reportOverdue = "1m";

interface Shape {
  readonly component: "postgresql" | "redis";
  readonly connection: string;
  readonly objectives: string;
  readonly cron?: string;
  readonly checklist?: "weekly" | "daily";
  /** Further lines of the spec. */
  readonly more?: readonly string[];
}

function policy(name: string, shape: Shape): string {
  const { component, connection, objectives, cron = "0 2 * * *", checklist = "weekly", more = [] } = shape;
  return `apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: ${name}}
spec:
  component: ${component}
  owner: tests
  failureDomain: servers
  connection: {host: 127.0.0.1, ${connection}}
  objectives: {${objectives}}
  schedule: {cron: "${cron}", timeZone: Etc/UTC}
  capture: {method: ${component === "redis" ? "rdb" : "base-backup"}}
  store: {name: vault, prefix: ${name}/}
  encryption: {recipients: [runner, escrow]}
  retention: points
  verification: ${checklist}
${more.map((line) => `  ${line}\n`).join("")}`;
}

const postgresql = (port: number) => `port: ${port}, user: postgres, sslMode: disable`;

/** A policy whose WAL is streamed. Its loss is told 20 s and a minute after the newest stored WAL. */
function streamed(name: string, port: number): string {
  return policy(name, {
    component: "postgresql",
    connection: postgresql(port),
    objectives: "rpo: 20s, rto: 1h, reach: 2d, pitrWindow: 1d",
    more: [
      "wal:",
      "  mode: stream",
      `  store: {name: vault, prefix: wal/${name}/}`,
      "  retention: wal",
      "  pushEvery: 1s",
      `  slot: holdfast_${name}`,
    ],
  });
}

/** Every minute, so that a fault is met within one and each end of a run makes the reconciler look. */
function eachMinute(name: string, connection: string): string {
  const objectives = "rpo: 1h, rto: 1h, reach: 2d";
  return policy(name, { component: "redis", connection, objectives, cron: "* * * * *" });
}

/** A day's last policies: one that nobody proves, one whose server is gone when its slot of `cron` comes. */
export function latePolicies(places: AlertPlaces, cron: string): Readonly<Record<string, string>> {
  const objectives = "rpo: 25h, rto: 1h, reach: 2d";
  return {
    wiki: policy("wiki", { component: "redis", connection: `port: ${places.sessionsPort}`, objectives }),
    yearbook: policy("yearbook", {
      component: "postgresql",
      connection: postgresql(places.archivePort),
      objectives,
      cron,
      checklist: "daily",
      // What somebody else does to its jobs stays.
      more: ["onDrift: report"],
    }),
  };
}

/** Texts by file name. The alert table is that of this repository, with the test's addresses. */
export function alertPolicies(places: AlertPlaces): Readonly<Record<string, string>> {
  const { ordersPort, archivePort, cachePort, sessionsPort } = places;
  const daily = "rpo: 25h, reach: 2d";
  return {
    archive: policy("archive", {
      component: "postgresql",
      connection: postgresql(archivePort),
      objectives: `${daily}, rto: 1h`,
    }),
    cache: eachMinute("cache", `port: ${cachePort}, passwordFrom: {env: CACHE_PASSWORD}`),
    sessions: eachMinute("sessions", `port: ${sessionsPort}`),
    // No server starts in a tenth of a second: the first restore shows that the promise cannot be kept.
    orders: policy("orders", {
      component: "postgresql",
      connection: postgresql(ordersPort),
      objectives: `${daily}, rto: 100ms`,
    }),
    ledger: streamed("ledger", ordersPort),
    journal: streamed("journal", ordersPort),
    retention: `apiVersion: holdfast.dev/v1
kind: RetentionTable
metadata: {name: standard}
rows:
  - {name: points, keep: {daily: 7}}
  - {name: wal, keep: {days: 8}}
`,
    checklists: ["weekly: 7d", "daily: 1d"]
      .map((row) => row.split(": "))
      .map(
        ([name, every]) => `apiVersion: holdfast.dev/v1
kind: VerificationChecklist
metadata: {name: ${name}}
checks:
  - {name: Checksum valid, level: 2, every: ${every}, automated: "yes"}
`,
      )
      .join("---\n"),
    platform: platform(places),
    alerts: alertTable(places),
  };
}

function platform({ remote, store, runner, escrow }: AlertPlaces): string {
  return `apiVersion: holdfast.dev/v1
kind: Store
metadata: {name: vault}
spec:
  type: directory
  failureDomain: vault
  path: ${store}
---
apiVersion: holdfast.dev/v1
kind: KeyRing
metadata: {name: keys}
keys:
  - {name: runner, recipient: ${runner}, role: runner}
  - {name: escrow, recipient: ${escrow}, role: escrow}
---
apiVersion: holdfast.dev/v1
kind: Reconciler
metadata: {name: holdfast}
spec:
  cluster: alerts
  repository: {url: "${remote}", branch: main, path: policies}
  pollEvery: 1s
  maxParallelRuns: 3
  reports: {cron: "* * * * *", path: reports, branch: reports, overdue: ${reportOverdue}}
`;
}

/** Besides Alertmanager a webhook is told, and a dead-man called. */
function alertTable({ alertmanagerPort, receiverPort }: AlertPlaces): string {
  const own = `http://127.0.0.1:${receiverPort}`;
  return readFileSync(join(policiesPath, "alerts.yaml"), "utf8")
    .replace("http://alertmanager.bud-system.svc:9093", `http://127.0.0.1:${alertmanagerPort}`)
    .replaceAll("receivers: [on-call]", "receivers: [on-call, pager]")
    .replace(
      "\nalerts:\n",
      `
  - {name: pager, type: webhook, url: "${own}/webhook"}
  - {name: watchman, type: dead-man, url: "${own}/alive"}
alerts:
`,
    );
}
