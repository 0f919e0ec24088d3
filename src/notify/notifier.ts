/**
 * Tells people: webhooks, Alertmanager, and a dead-man call that is missed when Holdfast itself is silent.
 * Each alert is told once when it begins and once when it ends. What could not be told is given back, because
 * a failure to alert is a failure too.
 * @see Alertmanager's API v2, POST /api/v2/alerts
 */
import pRetry from "p-retry";
import type { Logger } from "../log.ts";
import type { Receiver } from "../policy/model.ts";
import type { ConditionKind } from "../state/health.ts";
import type { Clock } from "../time/clock.ts";

const requestDeadlineMs = 10_000;
/** Alertmanager forgets an alert that is not repeated. */
const repeatEveryMs = 4 * 60_000;

export interface Alert {
  readonly name: string;
  readonly severity: "critical" | "warning" | "info";
  readonly policy: string;
  /** The condition behind it. */
  readonly when: ConditionKind;
  readonly message: string;
  readonly hint: string;
  /** Names of receivers. */
  readonly receivers: readonly string[];
}

export interface Undelivered {
  readonly receiver: string;
  readonly reason: string;
}

export interface Notifier {
  /** The alerts that hold now: new ones are told, those that are gone are told as resolved. */
  update(alerts: readonly Alert[]): Promise<readonly Undelivered[]>;
  /** Calls every dead-man receiver: "we are alive". */
  heartbeat(): Promise<readonly Undelivered[]>;
}

interface Told {
  alert: Alert;
  readonly sinceMs: number;
  /** When each receiver was told last, by name: one that is away is nothing to the others. */
  readonly toldAtMs: Map<string, number>;
}

export function openNotifier(input: {
  readonly receivers: () => readonly Receiver[];
  readonly cluster: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Tests use fewer. */
  readonly retries?: number;
}): Notifier {
  const told = new Map<string, Told>();
  const retries = input.retries ?? 2;

  async function send(receiver: Receiver, init: RequestInit, path = ""): Promise<Undelivered | undefined> {
    try {
      await pRetry(
        async () => {
          const response = await fetch(`${receiver.url.replace(/\/$/, "")}${path}`, {
            ...init,
            signal: AbortSignal.timeout(requestDeadlineMs),
            redirect: "error",
          });
          await response.body?.cancel();
          if (!response.ok) throw new Error(`it answers ${response.status}`);
        },
        { retries, minTimeout: 200, maxTimeout: 2000, randomize: true },
      );
      return undefined;
    } catch (error) {
      const reason =
        error instanceof Error
          ? ((error.cause as Error | undefined)?.message ?? error.message)
          : String(error);
      input.log.error("an alert could not be delivered", { receiver: receiver.name, reason });
      return { receiver: receiver.name, reason };
    }
  }

  async function tell(
    receiver: Receiver,
    entry: Told,
    isResolved: boolean,
  ): Promise<Undelivered | undefined> {
    const body = bodyOf(receiver, entry, isResolved, input.cluster(), input.clock.nowMs());
    const headers = { "content-type": "application/json" };
    const path = receiver.type === "alertmanager" ? "/api/v2/alerts" : "";
    return send(receiver, { method: "POST", headers, body: JSON.stringify(body) }, path);
  }

  async function end(key: string, entry: Told): Promise<readonly Undelivered[]> {
    const failures: Undelivered[] = [];
    for (const name of [...entry.toldAtMs.keys()]) {
      const receiver = input.receivers().find((r) => r.name === name);
      const failure = receiver === undefined ? undefined : await tell(receiver, entry, true);
      // Not told is told again at the next look.
      if (failure === undefined) entry.toldAtMs.delete(name);
      else failures.push(failure);
    }
    if (entry.toldAtMs.size === 0) told.delete(key);
    return failures;
  }

  async function begin(entry: Told): Promise<readonly Undelivered[]> {
    const failures: Undelivered[] = [];
    for (const receiver of input.receivers()) {
      if (!entry.alert.receivers.includes(receiver.name) || !isToldByPost(receiver)) continue;
      const lastMs = entry.toldAtMs.get(receiver.name);
      const nowMs = input.clock.nowMs();
      // A person is told once; Alertmanager wants to hear it again.
      const isDue = receiver.type === "alertmanager" && nowMs - (lastMs ?? 0) >= repeatEveryMs;
      if (lastMs !== undefined && !isDue) continue;
      const failure = await tell(receiver, entry, false);
      if (failure === undefined) entry.toldAtMs.set(receiver.name, nowMs);
      else failures.push(failure);
    }
    return failures;
  }

  return {
    update: async (alerts) => {
      const failures: Undelivered[] = [];
      const holding = new Map(alerts.map((alert) => [`${alert.name}\n${alert.policy}`, alert]));
      for (const [key, entry] of told) if (!holding.has(key)) failures.push(...(await end(key, entry)));
      for (const [key, alert] of holding) {
        const entry = told.get(key) ?? { alert, sinceMs: input.clock.nowMs(), toldAtMs: new Map() };
        entry.alert = alert;
        told.set(key, entry);
        failures.push(...(await begin(entry)));
      }
      return failures;
    },
    heartbeat: async () => {
      const calls = input.receivers().filter((r) => r.type === "dead-man");
      const failures = await Promise.all(calls.map((receiver) => send(receiver, { method: "GET" })));
      return failures.filter((f) => f !== undefined);
    },
  };
}

/** A dead-man is called and not told; issues are kept by `github-issues.ts`. */
function isToldByPost({ type }: Receiver): boolean {
  return type === "webhook" || type === "alertmanager";
}

function bodyOf(
  receiver: Receiver,
  entry: Told,
  isResolved: boolean,
  cluster: string,
  nowMs: number,
): unknown {
  const { alert, sinceMs } = entry;
  const startsAt = new Date(sinceMs).toISOString();
  if (receiver.type === "webhook") {
    const { name, severity, policy, message, hint } = alert;
    return {
      status: isResolved ? "resolved" : "firing",
      cluster,
      alert: name,
      severity,
      policy,
      message,
      hint,
      startsAt,
    };
  }
  return [
    {
      labels: {
        alertname: alert.name,
        severity: alert.severity,
        policy: alert.policy,
        cluster,
        source: "holdfast",
      },
      annotations: { summary: alert.message, description: alert.hint },
      startsAt,
      ...(isResolved ? { endsAt: new Date(nowMs).toISOString() } : {}),
    },
  ];
}
