/** A real Prometheus, a real Alertmanager and the receiver at their end, on free loopback ports. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { whereIs } from "./on-path.ts";
import { freePort } from "./ports.ts";
import { killed, until } from "./waiting.ts";

/** Names of what this machine lacks; empty where both can be started. */
export function missingPrometheus(): readonly string[] {
  return ["prometheus", "prometheus-alertmanager"].filter((program) => whereIs(program) === undefined);
}

export interface ArrivedAlert {
  readonly name: string;
  readonly policy: string;
  readonly status: "firing" | "resolved";
  /** `holdfast` when the alert did not come by way of Prometheus. */
  readonly source: string;
  readonly summary: string;
  readonly atMs: number;
}

export interface AlertReceiver {
  readonly port: number;
  /** Everything Alertmanager has posted to `/alertmanager`, oldest first. */
  readonly arrived: readonly ArrivedAlert[];
  /** Bodies of what was posted to `/webhook`. */
  readonly told: readonly Readonly<Record<string, unknown>>[];
  /** Calls of `/alive`. */
  readonly callsCount: number;
  /** @throws when none comes in time */
  arrival(wanted: Partial<ArrivedAlert>, sinceMs: number, deadlineMs: number): Promise<ArrivedAlert>;
  close(): Promise<void>;
}

interface Notification {
  readonly alerts: readonly {
    readonly status: ArrivedAlert["status"];
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

/** Whoever is to be woken: records what arrives and answers 200. */
export async function startReceiver(): Promise<AlertReceiver> {
  const arrived: ArrivedAlert[] = [];
  const told: Record<string, unknown>[] = [];
  let callsCount = 0;
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      if (request.url === "/alertmanager") arrived.push(...alertsOf(JSON.parse(body)));
      else if (request.url === "/webhook") told.push(JSON.parse(body));
      else callsCount += 1;
      response.end();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    arrived,
    told,
    get callsCount() {
      return callsCount;
    },
    arrival: async (wanted, sinceMs, deadlineMs) => {
      const find = () => arrived.find((a) => a.atMs >= sinceMs && isLike(a, wanted));
      await until(() => find() !== undefined, deadlineMs).catch(() => {
        const seen = arrived.map((a) => `${a.name} ${a.policy} ${a.status}`).join(", ");
        throw new Error(`in ${deadlineMs} ms no ${JSON.stringify(wanted)} arrived; what did: ${seen}`);
      });
      return find() as ArrivedAlert;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

function isLike(alert: ArrivedAlert, wanted: Partial<ArrivedAlert>): boolean {
  return Object.entries(wanted).every(([field, value]) => alert[field as keyof ArrivedAlert] === value);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

function alertsOf({ alerts }: Notification): readonly ArrivedAlert[] {
  return alerts.map(({ status, labels, annotations }) => ({
    name: labels["alertname"] ?? "",
    policy: labels["policy"] ?? "",
    source: labels["source"] ?? "prometheus",
    status,
    summary: annotations["summary"] ?? "",
    atMs: Date.now(),
  }));
}

export interface MonitoringServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Every alert by itself and at once to the webhook, its end too. */
export async function startAlertmanager(folder: string, webhook: string): Promise<MonitoringServer> {
  mkdirSync(folder);
  const config = join(folder, "alertmanager.yml");
  writeFileSync(
    config,
    JSON.stringify({
      route: {
        receiver: "test",
        group_by: ["..."],
        group_wait: "0s",
        group_interval: "1s",
        repeat_interval: "1h",
      },
      receivers: [{ name: "test", webhook_configs: [{ url: webhook, send_resolved: true }] }],
    }),
  );
  const port = await freePort();
  return startServer("prometheus-alertmanager", port, [
    `--config.file=${config}`,
    `--storage.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    // Alone; no gossip with others.
    "--cluster.listen-address=",
    "--log.level=warn",
  ]);
}

export interface PrometheusOptions {
  readonly folder: string;
  /** Text of the rule file. */
  readonly rules: string;
  readonly scrapePort: number;
  readonly alertmanagerPort: number;
}

export async function startPrometheus(options: PrometheusOptions): Promise<MonitoringServer> {
  const { folder, rules, scrapePort, alertmanagerPort } = options;
  mkdirSync(folder);
  const [config, ruleFile] = [join(folder, "prometheus.yml"), join(folder, "rules.yml")];
  writeFileSync(ruleFile, rules);
  const target = (port: number) => [{ targets: [`127.0.0.1:${port}`] }];
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "1s" },
      rule_files: [ruleFile],
      alerting: { alertmanagers: [{ static_configs: target(alertmanagerPort) }] },
      scrape_configs: [{ job_name: "holdfast", static_configs: target(scrapePort) }],
    }),
  );
  const port = await freePort();
  return startServer("prometheus", port, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    // It learns of Alertmanager only after some seconds, and what fires before is told at the next time.
    "--rules.alert.resend-delay=2s",
    "--log.level=warn",
  ]);
}

/** Ready when it says so. */
async function startServer(
  program: string,
  port: number,
  args: readonly string[],
): Promise<MonitoringServer> {
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${program} has ended with status ${child.exitCode}`);
    return fetch(`http://127.0.0.1:${port}/-/ready`).then(
      (response) => response.ok,
      () => false,
    );
  });
  return {
    port,
    stop: async () => {
      process.removeListener("exit", last);
      await killed(child);
    },
  };
}

/** Whether the newest scrape of the target went well. */
export async function hasScraped(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=up`);
  const { data } = (await response.json()) as { data: { result: readonly { value: [number, string] }[] } };
  return data.result[0]?.value[1] === "1";
}

/** Names of the alerts that Prometheus holds for pending or firing. */
export async function activeAlerts(port: number): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`);
  const { data } = (await response.json()) as {
    data: { alerts: readonly { labels: Readonly<Record<string, string>> }[] };
  };
  return data.alerts.map(({ labels }) => `${labels["alertname"]} ${labels["policy"] ?? ""}`.trim());
}
