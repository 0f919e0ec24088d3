/** PostgreSQL under the suite, through a role with a password and no more rights than its readme asks for. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { receive } from "../../src/operate/receive.ts";
import { freePort } from "../servers/ports.ts";
import { startPostgres } from "../servers/postgresql.ts";
import { until } from "../servers/waiting.ts";
import { policyFor } from "../servers/world.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const password = "correct'horse\"battery $taple";
const secretName = "HOLDFAST_TEST_POSTGRES_PASSWORD";
const question = "select md5(string_agg(i || text, ',' order by i)) from numbers";
const readme = join(import.meta.dirname, "../../src/engine/postgresql/readme.md");

/** The statements of the readme's "Privileges", as they stand there. */
function grants(): string {
  const block = /## Privileges[\s\S]*?```sql\n([\s\S]*?)```/.exec(readFileSync(readme, "utf8"))?.[1];
  if (block === undefined) throw new Error("the readme has no privileges any more");
  return block;
}

async function open(major: 15 | 17): Promise<EngineFixture> {
  const postgres = await startPostgres({ major, segmentBytes: 1024 * 1024 });
  process.env[secretName] = password;
  await postgres.run("create role holdfast login");
  await postgres.run(
    `set password_encryption = 'scram-sha-256'; alter role holdfast password '${password.replaceAll("'", "''")}'`,
  );
  await postgres.run(grants());
  const hba = join(postgres.dataDirectory, "pg_hba.conf");
  const lines = ["all", "replication"].map((d) => `host ${d} holdfast 127.0.0.1/32 scram-sha-256`);
  writeFileSync(hba, `${lines.join("\n")}\n${readFileSync(hba, "utf8")}`);
  await postgres.run("select pg_reload_conf()");
  await postgres.run("create table numbers (i bigint primary key, text text)");
  await postgres.run("insert into numbers select i, md5(i::text) from generate_series(1, 20000) i");
  const usual = policyFor(postgres);
  const folders: string[] = [];
  const connection = { ...usual.connection, user: "holdfast", passwordFrom: { env: secretName } };
  return {
    policy: { ...usual, connection },
    secrets: [password],
    write: () =>
      postgres.run(
        "insert into numbers select max(i) + 1, 'new' from numbers; update numbers set text = 'changed' where i % 97 = 0; delete from numbers where i % 101 = 0",
      ),
    fingerprint: async () => String(await postgres.ask(question)),
    fingerprintOf: async (server) => String(await server.ask(question, "postgres")),
    withTool: async (script) => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-tools-"));
      chmodSync(folder, 0o755);
      folders.push(folder);
      for (const name of readdirSync(postgres.binDirectory)) {
        if (name !== "pg_basebackup") symlinkSync(join(postgres.binDirectory, name), join(folder, name));
      }
      const real = join(postgres.binDirectory, "pg_basebackup");
      const version = `case "$*" in *--version*) exec "$REAL" "$@";; esac`;
      writeFileSync(
        join(folder, "pg_basebackup"),
        `#!/bin/bash\nset -o pipefail\nREAL=${real}\n${version}\n${script}\n`,
        { mode: 0o755 },
      );
      return { capture: { ...usual.capture, options: { toolDirectory: folder } } };
    },
    unreachable: { connection: { ...connection, port: await freePort() } },
    byHand: {
      environment: { PGBIN: postgres.binDirectory },
      fingerprint: async (_directory, port) => {
        const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
        await client.connect();
        const { rows } = await client.query<{ answer: string }>(question.replace(" from", " as answer from"));
        await client.end();
        return String(rows[0]?.answer);
      },
      stop: async (directory) => {
        const control = join(postgres.binDirectory, "pg_ctl");
        const args = ["-u", "postgres", "--", control, "stop", "--mode=immediate", "-D", `${directory}/data`];
        execFileSync("runuser", args, { cwd: "/", stdio: "pipe" });
      },
    },
    endLogPiece: () => postgres.run("select pg_switch_wal()"),
    beside: (test) => {
      const stop = new AbortController();
      const receiving = test
        .reopen({}, stop.signal)
        .then((world) => receive(world, test.policy, () => {}))
        .catch(() => undefined);
      return {
        stop: async () => {
          stop.abort();
          await receiving;
          // The next world streams into a store of its own.
          await until(
            async () =>
              (await postgres.ask("select count(*)::int from pg_replication_slots where active")) === 0,
          );
          await postgres.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots");
        },
      };
    },
    close: async () => {
      delete process.env[secretName];
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
      await postgres.remove();
    },
  };
}

for (const major of [15, 17] as const) engineConformance(`PostgreSQL ${major}`, () => open(major));
engineDamage("PostgreSQL", () => open(15));
engineKills("PostgreSQL", () => open(15));
