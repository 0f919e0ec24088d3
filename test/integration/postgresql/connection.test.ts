/** TLS as libpq does it, and roles with no more rights than the readme asks for. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Connection, withClient } from "../../../src/engine/postgresql/connection.ts";
import { readFacts } from "../../../src/engine/postgresql/facts.ts";
import { startPostgres, type TestPostgres } from "../../servers/postgresql.ts";
import { until } from "../../servers/waiting.ts";

let postgres: TestPostgres;
let root: string;

beforeAll(async () => {
  postgres = await startPostgres();
  root = join(postgres.folder, "ca.crt");
  const script = [
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=root",
    "openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
    "printf subjectAltName=DNS:localhost > names",
    "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out server.crt -extfile names",
    "chmod 600 server.key",
    ...(process.getuid?.() === 0 ? ["chown postgres server.key server.crt"] : []),
  ].join(" && ");
  execFileSync("sh", ["-c", script], { cwd: postgres.folder, stdio: "ignore" });
  await postgres.run(`alter system set ssl_cert_file = '${join(postgres.folder, "server.crt")}'`);
  await postgres.run(`alter system set ssl_key_file = '${join(postgres.folder, "server.key")}'`);
  await postgres.run("alter system set ssl = on");
  await postgres.run("create role plain login replication");
  await postgres.run("create database closed");
  await postgres.run("revoke connect on database closed from public");
  const lines = ["postgres", "plain"].map((user) => `hostssl all ${user} all trust`);
  await postgres.run("select pg_reload_conf()");
  await until(async () => (await postgres.ask("show ssl")) === "on");
  writeFileSync(join(postgres.dataDirectory, "pg_hba.conf"), `${lines.join("\n")}\nlocal all all trust\n`);
  await postgres.run("select pg_reload_conf()");
});
afterAll(() => postgres?.remove());

function version(change: Partial<Connection>): Promise<string> {
  const connection = { host: "127.0.0.1", port: postgres.port, user: "postgres", database: "postgres" };
  return withClient({ ...connection, sslMode: "prefer", ...change }, async (client) => {
    const { rows } = await client.query<{ v: string }>(
      "select version as v from pg_stat_ssl where pid = pg_backend_pid()",
    );
    return rows[0]?.v ?? "";
  });
}

it("a server that wants TLS is reached in every mode that allows it", async () => {
  await until(async () => (await version({ sslMode: "disable" }).catch(() => "refused")) === "refused");
  for (const sslMode of ["allow", "prefer", "require"]) expect(await version({ sslMode })).toMatch(/^TLS/);
  expect(await version({ sslMode: "verify-ca", sslRootCert: root })).toMatch(/^TLS/);
  expect(await version({ sslMode: "verify-full", sslRootCert: root, host: "localhost" })).toMatch(/^TLS/);
});

it("a certificate of another root or another name is refused", async () => {
  const refused = { code: "source-unreachable" };
  await expect(version({ sslMode: "verify-ca" })).rejects.toMatchObject(refused);
  await expect(version({ sslMode: "verify-full", sslRootCert: root })).rejects.toMatchObject(refused);
  await expect(version({ sslMode: "verify-full", sslRootCert: "/nowhere" })).rejects.toMatchObject({
    code: "usage",
  });
});

it("a database that the role may not enter does not hide the others", async () => {
  const connection = { host: "127.0.0.1", port: postgres.port, user: "plain", database: "postgres" };
  const facts = await withClient({ ...connection, sslMode: "require" }, readFacts);
  expect(facts.databaseBytes).toBeGreaterThan(1_000_000);
});
