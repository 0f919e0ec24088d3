/** ClickHouse in the rehearsal: its own engine behind its HTTP interface, and a table that is dropped. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type DemoComponent, type DemoServer, prove } from "../../src/cli/demo/component.ts";
import type { ChoosePort } from "../../src/cli/demo/source-server.ts";
import { requireThat, type Shown, type Stage, untilCaptured } from "../../src/cli/demo/stage.ts";
import { findPolicy } from "../../src/operate/find-policy.ts";
import { restore } from "../../src/operate/restore.ts";
import { rememberSecret } from "../../src/secret.ts";
import {
  clickhouseTools,
  passwordVariable,
  startClickhouse,
  type TestClickhouse,
} from "../servers/clickhouse.ts";

const rowsCount = 2000;
const table = "CREATE TABLE shop.orders (id UInt64, item String) ENGINE = MergeTree ORDER BY id";
const asValues =
  "SELECT arrayStringConcat(groupArray(concat('(', toString(id), ', ''', item, ''')')), ', ') FROM shop.orders";

/** @param store folder of the backups, which the server writes by itself */
export function clickhouseInRehearsal(store: string): DemoComponent {
  return {
    component: "clickhouse",
    missing: async () => (clickhouseTools() === undefined ? "sh .ci/clickhouse.sh" : undefined),
    start: (_folder, _signal, choosePort) => start(choosePort, store),
  };
}

async function start(choosePort: ChoosePort, store: string): Promise<DemoServer> {
  const tools = clickhouseTools() ?? "";
  const password = randomUUID();
  rememberSecret(password);
  // The reconciler of the rehearsal inherits it.
  process.env[passwordVariable] = password;
  const server = await startClickhouse(tools, password, {
    httpPort: await choosePort(8123),
    backups: store,
  });
  await server.run("CREATE DATABASE shop");
  await server.run(table);
  await server.run(
    `INSERT INTO shop.orders SELECT number, concat('item ', toString(number)) FROM numbers(${rowsCount})`,
  );
  const [version] = (await server.ask("SELECT version()"))[0] ?? [];
  return {
    title: `ClickHouse's engine ${String(version)} (chdb)`,
    policy: policyText(server.connection.port, tools),
    unit: "rows",
    count: () => countIn(server),
    show: (stage, name) => dropTable(stage, name, server),
    stop: () => server.stop(),
  };
}

async function countIn(server: TestClickhouse): Promise<number> {
  return Number((await server.ask("SELECT count() FROM shop.orders"))[0]?.[0]);
}

async function dropTable(stage: Stage, name: string, server: TestClickhouse): Promise<Shown> {
  const { world, say, workdir } = stage;
  const policy = findPolicy(world, name);
  const { manifest } = await untilCaptured(stage, policy);
  const before = await countIn(server);
  await server.run("DROP TABLE shop.orders SYNC");
  const lostAtMs = Date.now();
  say(`DISASTER: table shop.orders with ${before} rows is dropped`);
  const outcome = await restore(world, policy, {
    target: { kind: "point" },
    point: manifest.id,
    directory: join(workdir, `restored-${name}`),
    start: true,
  });
  const values = String(await outcome.server?.ask(asValues, "shop"));
  await outcome.server?.stop();
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  await server.run(table);
  await server.run(`INSERT INTO shop.orders VALUES ${values}`);
  const rtoSeconds = (Date.now() - lostAtMs) / 1000;
  const after = await countIn(server);
  requireThat(after === before, `${name}: ${after} of ${before} rows are back`);
  say(`  restored in ${rtoSeconds.toFixed(1)} s: ${after} of ${before} rows are in the table again`);
  const proof = await prove(stage, world, name, manifest.id);
  const rpoSeconds = Math.max(0, lostAtMs - Date.parse(manifest.consistentAt)) / 1000;
  return { policy: name, point: manifest.id, finishedAt: manifest.finishedAt, proof, rpoSeconds, rtoSeconds };
}

function policyText(port: number, tools: string): string {
  return `# A full BACKUP twice a week, the other nights build on it.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata:
  name: clickhouse
  waivers:
    - rule: encryption/missing
      reason: the server carries its backup to the store by itself
      owner: rehearsal
      until: ${dayAfter(30)}
spec:
  component: clickhouse
  owner: rehearsal
  failureDomain: demo-server
  connection: {host: 127.0.0.1, port: ${port}, user: default, passwordFrom: {env: ${passwordVariable}}}
  objectives: {rpo: 26h, rto: 1h, reach: 6d}
  schedule: {cron: "0 3 * * *", timeZone: Etc/UTC}
  capture: {method: native, fullCron: "0 3 * * 0,3", options: {toolDirectory: ${tools}}}
  store: {name: vault, prefix: clickhouse/}
  retention: standard
  verification: standard
  assertions: [{sql: select count() > 0 from shop.orders, database: shop}]
`;
}

/** `2026-12-26`: a waiver needs an end. */
export function dayAfter(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
