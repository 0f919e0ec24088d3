/**
 * Tells people: webhooks, Alertmanager, and a dead-man call that is missed when Holdfast itself is silent.
 * Each alert is told once when it begins and once when it ends. What could not be told is given back, because
 * a failure to alert is a failure too.
 * @see Alertmanager's API v2, POST /api/v2/alerts
 */
import pRetry from "p-retry";
import type { Logger } from "../log.ts";
import type { Receiver } from "../policy/model.ts";
import type { Clock } from "../time/clock.ts";

const requestDeadlineMs = 10_000;
/** Alertmanager forgets an alert that is not repeated. */
const repeatEveryMs = 4 * 60_000;

export interface Alert {
  readonly name: string;
  readonly severity: "critical" | "warning" | "info";
  readonly policy: string;
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
  readonly alert: Alert;
  readonly sinceMs: number;
  lastMs: number;
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

  async function tell(entry: Told, isResolved: boolean): Promise<readonly Undelivered[]> {
    const failures: Undelivered[] = [];
    for (const receiver of input.receivers()) {
      if (!entry.alert.receivers.includes(receiver.name)) continue;
      const body = bodyOf(receiver, entry, isResolved, input.cluster(), input.clock.nowMs());
      if (body === undefined) continue;
      const headers = { "content-type": "application/json" };
      const path = receiver.type === "alertmanager" ? "/api/v2/alerts" : "";
      const failure = await send(receiver, { method: "POST", headers, body: JSON.stringify(body) }, path);
      if (failure !== undefined) failures.push(failure);
    }
    return failures;
  }

  return {
    update: async (alerts) => {
      const nowMs = input.clock.nowMs();
      const failures: Undelivered[] = [];
      const holding = new Map(alerts.map((alert) => [`${alert.name}\n${alert.policy}`, alert]));
      for (const [key, entry] of told) {
        if (holding.has(key)) continue;
        const failed = await tell(entry, true);
        failures.push(...failed);
        // Not told is told again at the next look.
        if (failed.length === 0) told.delete(key);
      }
      for (const [key, alert] of holding) {
        const known = told.get(key);
        if (known !== undefined && nowMs - known.lastMs < repeatEveryMs) continue;
        const isRepeat = known !== undefined;
        const entry: Told = { alert, sinceMs: known?.sinceMs ?? nowMs, lastMs: nowMs };
        const wanted = isRepeat ? onlyRepeated(entry, input.receivers()) : entry;
        const failed = await tell(wanted, false);
        failures.push(...failed);
        if (failed.length === 0) told.set(key, entry);
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

/** A person is told once; Alertmanager wants to hear it again. */
function onlyRepeated(entry: Told, receivers: readonly Receiver[]): Told {
  const names = receivers.filter((r) => r.type === "alertmanager").map((r) => r.name);
  return {
    ...entry,
    alert: { ...entry.alert, receivers: entry.alert.receivers.filter((name) => names.includes(name)) },
  };
}

/** Undefined for a receiver that is told in another way (dead-man) or not yet (GitHub issues). */
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
  if (receiver.type !== "alertmanager") return undefined;
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
