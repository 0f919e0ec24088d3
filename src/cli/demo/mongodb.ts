/** MongoDB in the demo: a replica set of one, where the vendor's server and tools are in PATH, gone with its disk. */
import type { ChildProcess } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { settingsOf, withClient } from "../../engine/mongodb/connection.ts";
import { openExec } from "../../exec/system.ts";
import { type DemoComponent, type DemoServer, loseServer } from "./component.ts";
import type { ChoosePort } from "./source-server.ts";
import { ended, startProgram, until } from "./stage.ts";

const documentsCount = 5000;
const database = "shop";
const collection = "orders";

export const mongodbInDemo: DemoComponent = {
  component: "mongodb",
  missing: async (exec) => {
    for (const name of ["mongod", "mongodump", "mongorestore"])
      if ((await exec.find(name)) === undefined)
        return "apt-get install mongodb-org-server mongodb-database-tools (from repo.mongodb.org, Debian has none)";
    return undefined;
  },
  start,
};

async function start(folder: string, signal: AbortSignal, choosePort: ChoosePort): Promise<DemoServer> {
  await mkdir(folder);
  const port = await choosePort(27017);
  let child = run(folder, port);
  const connection = settingsOf({ port });
  const count = (on = connection): Promise<number> =>
    withClient(on, (client) => client.db(database).collection(collection).countDocuments());
  // A member that has data of a set asks for it again; a fresh one is made the set's first.
  const ready = async (): Promise<void> => {
    const isUp = () =>
      withClient(connection, (client) => client.db("admin").command({ ping: 1 })).catch(() => undefined);
    await until("MongoDB answers", isUp, signal);
    const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
    await withClient(connection, async (client) => {
      const admin = client.db("admin");
      await admin.command({ replSetInitiate: { _id: "rs0", members } }).catch((error: { code?: number }) => {
        // AlreadyInitialized.
        if (error.code !== 23) throw error;
      });
      const isPrimary = async () =>
        (await admin.command({ hello: 1 }))["isWritablePrimary"] === true || undefined;
      await until("MongoDB is primary", isPrimary, signal);
    });
  };
  await ready();
  await withClient(connection, (client) =>
    client
      .db(database)
      .collection(collection)
      .insertMany(Array.from({ length: documentsCount }, (_, i) => ({ number: i, item: `item ${i}` }))),
  );
  const { stdout } = await openExec().run({ argv: ["mongod", "--version"] }, { deadlineMs: 20_000 });
  const described = {
    title: `MongoDB ${/v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? ""}`.trim(),
    unit: "documents",
    count: () => count(),
  };
  return {
    ...described,
    policy: policyText(port),
    show: (stage, name) =>
      loseServer(stage, name, {
        ...described,
        countIn: (server) => count(settingsOf(server.connection)),
        destroy: async () => {
          await ended(child);
          await rm(folder, { recursive: true, force: true });
        },
        replace: async (directory) => {
          child = run(`${directory}/data`, port);
          await ready();
        },
      }),
    stop: () => ended(child),
  };
}

function run(folder: string, port: number): ChildProcess {
  const argv = ["--dbpath", folder, "--replSet", "rs0", "--bind_ip", "127.0.0.1", "--port", String(port)];
  return startProgram("mongod", argv);
}

function policyText(port: number): string {
  return `# A dump with its oplog each night.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: mongodb}
spec:
  component: mongodb
  owner: demo
  failureDomain: demo-server
  connection: {host: 127.0.0.1, port: ${port}, replicaSet: rs0}
  objectives: {rpo: 26h, rto: 1h, reach: 6d}
  schedule: {cron: "30 1 * * *", timeZone: Etc/UTC}
  capture: {method: mongodump, compression: gzip, options: {oplog: true}}
  store: {name: vault, prefix: mongodb/}
  encryption: {recipients: [runner, escrow]}
  retention: standard
  verification: standard
  assertions: [{sql: '{"count": "${collection}"} > 0', database: ${database}}]
`;
}
