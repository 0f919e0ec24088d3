/** Status page, health and metrics over HTTP. It reads what the loop has seen last and asks nobody. */
import { createServer, type ServerResponse } from "node:http";
import packageFacts from "../../package.json" with { type: "json" };
import { HoldfastError } from "../errors.ts";
import { judgeReports } from "../health/fleet.ts";
import type { Undelivered } from "../notify/notifier.ts";
import type { Observation } from "../operate/observe.ts";
import type { LoopStatus } from "../operate/reconcile.ts";
import { statusOf } from "../operate/status.ts";
import type { ReconcilerSettings } from "../policy/model.ts";
import { pointStatus } from "../report/json.ts";
import { type PolicyMetrics, renderMetrics } from "../report/metrics.ts";
import { renderStatusPage } from "../report/status-page.ts";
import { redact } from "../secret.ts";
import type { Looks } from "../state/coverage.ts";
import type { Condition } from "../state/health.ts";
import type { Run } from "../state/job.ts";
import type { WiredWorld } from "./wire.ts";

export interface StatusFacts {
  readonly world: WiredWorld;
  readonly seen: Observation | undefined;
  /** The last look at what the sources hold. */
  readonly looks?: Looks | undefined;
  readonly loop: LoopStatus | undefined;
  /** Another reconciler leads; this one is well. */
  readonly isWaiting?: boolean;
  readonly settings: ReconcilerSettings | undefined;
  /** When a report last came, as far as the repository says. */
  readonly lastReportAt: string | undefined;
  readonly startedAtMs: number;
  /** Alerts nobody could be told of. */
  readonly undelivered: readonly Undelivered[];
}

export interface StatusServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Undefined without an address. @throws usage when the address cannot be had */
export async function startStatusServer(
  address: { readonly host: string; readonly port: number } | undefined,
  facts: () => StatusFacts,
): Promise<StatusServer | undefined> {
  if (address === undefined) return undefined;
  const server = createServer((request, response) => {
    answer(request.url ?? "/", response, facts()).catch((error: unknown) => {
      send(response, 500, "text/plain", `${String(error)}\n`);
    });
  });
  await new Promise<void>((done, fail) => {
    server.once("error", (cause) =>
      fail(
        new HoldfastError("usage", `cannot listen on ${address.host}:${address.port}: ${cause.message}`, {
          hint: "name another --listen HOST:PORT, or --listen none",
          cause,
        }),
      ),
    );
    server.listen(address.port, address.host, done);
  });
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  return {
    url: `http://${address.host}:${port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

const usualPollMs = 60_000;
const hangMs = 10 * 60_000;

export function pollEveryMs({ set }: Pick<WiredWorld, "set">): number {
  return set.reconciler?.pollEveryMs ?? usualPollMs;
}

/** A loop that hangs has no state for it: its last poll grows old. */
export function isPolling(loop: LoopStatus | undefined, world: WiredWorld): boolean {
  const oldestMs = world.clock.nowMs() - 3 * pollEveryMs(world) - hangMs;
  return loop !== undefined && Date.parse(loop.lastPollAt) > oldestMs;
}

async function answer(url: string, response: ServerResponse, facts: StatusFacts): Promise<void> {
  const path = url.split("?")[0];
  if (path === "/healthz") {
    // Alive and polling; neither what the backups are worth nor a broken commit is a reason to restart us.
    const isFine = facts.isWaiting === true || isPolling(facts.loop, facts.world);
    return send(
      response,
      isFine ? 200 : 503,
      "text/plain",
      `${facts.loop?.state ?? (facts.isWaiting === true ? "waiting for its turn" : "starting")}\n`,
    );
  }
  if (path === "/readyz") {
    // Ready once a commit is in force; one that waits for its turn is as ready as it can be.
    const isReady = facts.isWaiting === true || (facts.loop?.revision ?? "") !== "";
    return send(
      response,
      isReady ? 200 : 503,
      "text/plain",
      `${isReady ? (facts.loop?.revision ?? "waiting for its turn") : "no revision has been applied yet"}\n`,
    );
  }
  if (path === "/metrics") return send(response, 200, "text/plain; version=0.0.4", await metricsOf(facts));
  if (path === "/status.json")
    return send(response, 200, "application/json", `${JSON.stringify(statusJsonOf(facts), null, 2)}\n`);
  if (path === "/") return send(response, 200, "text/html; charset=utf-8", pageOf(facts));
  send(response, 404, "text/plain", "there are /, /healthz, /readyz, /metrics and /status.json\n");
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    "content-type": type,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
  response.end(redact(text));
}

function judged({ world, seen, looks }: StatusFacts) {
  return seen === undefined ? { healths: [], notBuilt: [] } : statusOf(world, seen, looks);
}

function ownConditions(facts: StatusFacts): readonly Condition[] {
  const { loop, settings, lastReportAt, startedAtMs, world } = facts;
  const reports =
    settings === undefined
      ? []
      : judgeReports({
          settings,
          sinceMs: startedAtMs,
          nowMs: world.clock.nowMs(),
          ...(lastReportAt === undefined ? {} : { lastPublishedAtMs: Date.parse(lastReportAt) }),
        });
  return [...(loop?.conditions ?? []), ...reports, ...facts.undelivered.map(undeliveredCondition)];
}

function undeliveredCondition({ receiver, reason }: Undelivered): Condition {
  return {
    kind: "alert-undelivered",
    policy: "",
    severity: "critical",
    message: `receiver '${receiver}' could not be told: ${reason}`,
    hint: "check its address in the alert table; it is tried again",
  };
}

/** Everything that holds now, of the policies and of Holdfast itself. */
export function currentConditions(facts: StatusFacts): readonly Condition[] {
  return [...ownConditions(facts), ...judged(facts).healths.flatMap((h) => h.conditions)];
}

function statusJsonOf(facts: StatusFacts) {
  const { healths } = judged(facts);
  return {
    at: new Date(facts.world.clock.nowMs()).toISOString(),
    reconciler: facts.loop ?? null,
    conditions: ownConditions(facts),
    policies: healths,
  };
}

function pageOf(facts: StatusFacts): string {
  const { healths, notBuilt } = judged(facts);
  const { loop, world } = facts;
  return renderStatusPage(
    healths,
    {
      cluster: world.cluster,
      version: packageFacts.version,
      revision: loop?.revision ?? "",
      state: loop?.state ?? "starting",
      ok: loop?.ok ?? false,
      conditions: ownConditions(facts),
      notBuilt: notBuilt.map((p) => ({ policy: p.name, component: p.component })),
      ...(loop?.lastPollAt === undefined ? {} : { lastPollAt: loop.lastPollAt }),
      ...(loop?.lastAppliedAt === undefined ? {} : { lastAppliedAt: loop.lastAppliedAt }),
      ...(facts.lastReportAt === undefined ? {} : { lastReportAt: facts.lastReportAt }),
    },
    world.clock.nowMs(),
  );
}

async function metricsOf(facts: StatusFacts): Promise<string> {
  const { healths } = judged(facts);
  const { loop, world, seen } = facts;
  const nowMs = world.clock.nowMs();
  const policies = healths.map((health): PolicyMetrics => {
    const runs = (seen?.actual.jobs ?? [])
      .filter((j) => j.job.policy === health.policy && j.job.kind === "capture")
      .flatMap((j) => j.runs)
      .sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
    const lastSuccess: Run | undefined = runs.find((r) => r.outcome === "succeeded");
    const lastRun = runs.find((r) => r.outcome !== "running");
    const log = seen?.actual.sources.find((s) => s.policy === health.policy)?.log;
    const counts: Record<string, number> = {};
    const catalogue = seen?.catalogues.get(health.policy);
    for (const point of catalogue?.points ?? []) {
      const status = pointStatus(point, nowMs);
      counts[status] = (counts[status] ?? 0) + 1;
    }
    if (catalogue !== undefined) counts["unreadable"] = catalogue.unreadable.length;
    return {
      health,
      pointsByStatus: counts,
      ...(lastSuccess === undefined ? {} : { lastSuccess }),
      ...(lastRun === undefined ? {} : { lastRun }),
      ...(log === undefined ? {} : { log }),
    };
  });
  return renderMetrics({
    cluster: world.cluster,
    version: packageFacts.version,
    nowMs,
    policies,
    brokenPolicies: ownConditions(facts)
      .filter((c) => c.kind === "policy-broken")
      .map((c) => c.policy),
    up: loop?.ok ?? false,
    isReviewMissing: ownConditions(facts).some((c) => c.kind === "review-missing"),
    undeliveredCount: facts.undelivered.length,
    ...(facts.settings === undefined
      ? {}
      : { isReportOverdue: ownConditions(facts).some((c) => c.kind === "report-overdue") }),
    ...(loop?.lastPollAt === undefined ? {} : { lastPollAt: loop.lastPollAt, lastPollOk: loop.lastPollOk }),
    ...(loop?.revision === undefined || loop.revision === "" ? {} : { appliedRevision: loop.revision }),
    ...(loop?.lastAppliedAt === undefined ? {} : { lastAppliedAt: loop.lastAppliedAt }),
    ...(facts.lastReportAt === undefined ? {} : { lastReportAt: facts.lastReportAt }),
  });
}
