/** MongoDB in the rehearsal: FerretDB speaks its wire protocol, and is lost with its disk. */
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type DemoComponent, type DemoServer, loseServer } from "../../src/cli/demo/component.ts";
import type { ChoosePort } from "../../src/cli/demo/source-server.ts";
import { settingsOf, withClient } from "../../src/engine/mongodb/connection.ts";
import { ferretProgram, startMongo } from "../servers/ferretdb.ts";

const documentsCount = 5000;

export const mongodbInRehearsal: DemoComponent = {
  component: "mongodb",
  missing: async () =>
    ferretProgram() === undefined
      ? "sh .ci/ferretdb.sh (builds FerretDB with Go, about 75 s once)"
      : undefined,
  start,
};

async function start(_folder: string, _signal: AbortSignal, choosePort: ChoosePort): Promise<DemoServer> {
  const mongo = await startMongo({ replicaSet: "rs0", port: await choosePort(27017) });
  const data = join(dirname(mongo.toolDirectory), "data");
  const documents = Array.from({ length: documentsCount }, (_, i) => ({ number: i, item: `item ${i}` }));
  await mongo.client.db("shop").collection("orders").insertMany(documents);
  const count = (): Promise<number> => mongo.client.db("shop").collection("orders").countDocuments();
  const described = { title: "FerretDB 1.24.0 in MongoDB's place", unit: "documents", count };
  return {
    ...described,
    policy: policyText(mongo.port, mongo.toolDirectory),
    show: (stage, name) =>
      loseServer(stage, name, {
        ...described,
        countIn: (server) =>
          withClient(settingsOf(server.connection), (client) =>
            client.db("shop").collection("orders").countDocuments(),
          ),
        destroy: async () => {
          await mongo.kill();
          rmSync(data, { recursive: true, force: true });
        },
        replace: async (directory) => {
          cpSync(join(directory, "data"), data, { recursive: true });
          await mongo.start();
          // The oplog is the server's own and in no dump.
          await mongo.client
            .db("local")
            .createCollection("oplog.rs", { capped: true, size: 64 * 1024 * 1024 })
            .catch(() => undefined);
          // A dump wants an oplog with something in it.
          await mongo.client
            .db("shop")
            .collection("orders")
            .insertOne({ number: documentsCount, item: "later" });
        },
      }),
    stop: () => mongo.remove(),
  };
}

function policyText(port: number, tools: string): string {
  return `# A dump each night; the oplog of a server put back a minute ago is too young for one with it.
apiVersion: holdfast.dev/v1
kind: BackupPolicy
metadata: {name: mongodb}
spec:
  component: mongodb
  owner: rehearsal
  failureDomain: demo-server
  connection: {host: 127.0.0.1, port: ${port}}
  objectives: {rpo: 26h, rto: 1h, reach: 6d}
  schedule: {cron: "30 1 * * *", timeZone: Etc/UTC}
  capture: {method: mongodump, compression: gzip, options: {oplog: false, toolDirectory: ${tools}}}
  store: {name: vault, prefix: mongodb/}
  encryption: {recipients: [runner, escrow]}
  retention: standard
  verification: standard
  assertions: [{sql: '{"count": "orders"} > 0', database: shop}]
`;
}
