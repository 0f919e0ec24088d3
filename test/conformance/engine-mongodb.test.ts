/** MongoDB's engine under the suite, on FerretDB; mongodump is the vendor's where it is on PATH, else a stand-in. */
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import { describe, it } from "vitest";
import { receive } from "../../src/engine/mongodb/receive.ts";
import { ferretProgram, mongoPolicy, oplogSettings, startMongo } from "../servers/ferretdb.ts";
import { freePort } from "../servers/ports.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const password = "correct-horse-battery-$taple'\"";
const secretName = "HOLDFAST_TEST_MONGODB_PASSWORD";

async function fingerprint(client: MongoClient): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["items", "orders"]) {
    const documents = await client
      .db("shop")
      .collection(name)
      .find({}, { raw: true })
      .sort({ _id: 1 })
      .toArray();
    for (const document of documents) hash.update(document as unknown as Uint8Array);
  }
  return hash.digest("hex");
}

async function fingerprintAt(uri: string): Promise<string> {
  const client = await new MongoClient(uri, { serverSelectionTimeoutMS: 5000 }).connect();
  return fingerprint(client).finally(() => client.close());
}

if (ferretProgram() === undefined) {
  describe("engine MongoDB", () => it.skip("the server cannot be had here", () => {}));
} else {
  engineConformance("MongoDB", open);
  engineDamage("MongoDB", openWithSlices);
  engineKills("MongoDB", open);
}

async function open(): Promise<EngineFixture> {
  const user = { name: "holdfast", password };
  const mongo = await startMongo({ replicaSet: "rs0", user });
  process.env[secretName] = password;
  const shop = mongo.client.db("shop");
  const items = Array.from({ length: 3000 }, (_, i) => ({ _id: i, text: `text ${i}`, at: new Date(i) }));
  await shop.collection<(typeof items)[number]>("items").insertMany(items);
  await shop.collection("items").createIndex({ text: 1 });
  await shop.collection("orders").insertOne({ total: 1 });
  const folders: string[] = [];
  const connection = {
    host: "127.0.0.1",
    port: mongo.port,
    user: user.name,
    passwordFrom: { env: secretName },
  };
  const usual = mongoPolicy(mongo, { connection });
  let written = 0;
  return {
    policy: usual,
    secrets: [password],
    write: async () => {
      written += 1;
      await shop.collection("orders").insertOne({ total: written });
      await shop
        .collection<{ _id: number }>("items")
        .updateOne({ _id: written }, { $set: { text: "changed" } });
      await shop.collection<{ _id: number }>("items").deleteOne({ _id: 100 + written });
    },
    fingerprint: () => fingerprint(mongo.client),
    fingerprintOf: (server) =>
      fingerprintAt(
        `mongodb://${encodeURIComponent(String(server.connection["host"]))}/?directConnection=true`,
      ),
    withTool: async (script) => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-tools-"));
      chmodSync(folder, 0o755);
      folders.push(folder);
      for (const name of ["mongorestore", "mongod"])
        symlinkSync(join(mongo.toolDirectory, name), join(folder, name));
      const version = `case "$*" in *--version*) exec "$REAL" "$@";; esac`;
      writeFileSync(
        join(folder, "mongodump"),
        `#!/bin/bash\nset -o pipefail\nREAL=${join(mongo.toolDirectory, "mongodump")}\n${version}\n${script}\n`,
        { mode: 0o755 },
      );
      return { capture: { ...usual.capture, options: { toolDirectory: folder } } };
    },
    unreachable: { connection: { ...connection, port: await freePort() } },
    byHand: {
      environment: {
        MONGOD: join(mongo.toolDirectory, "mongod"),
        MONGORESTORE: join(mongo.toolDirectory, "mongorestore"),
      },
      fingerprint: (_directory, port) => fingerprintAt(`mongodb://127.0.0.1:${port}/?directConnection=true`),
      stop: async (directory) => {
        process.kill(Number(readFileSync(join(directory, "server.pid"), "utf8")), "SIGKILL");
      },
    },
    close: async () => {
      delete process.env[secretName];
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
      await mongo.remove();
    },
  };
}

/** The same with the oplog kept in slices, each ended after half a second. */
async function openWithSlices(): Promise<EngineFixture> {
  const fixture = await open();
  return {
    ...fixture,
    policy: { ...fixture.policy, log: oplogSettings },
    endLogPiece: async () => {},
    beside: (test) => {
      const stop = new AbortController();
      const receiving = test.reopen({}, stop.signal).then(async (world) => {
        const { log } = await world.repository(test.policy);
        const shape = { maxBytes: 1024 * 1024, maxMs: 500 };
        await world.withContext(test.policy, { keep: "log-mongodb" }, (context) =>
          receive(context, log, () => {}, shape),
        );
      });
      return {
        stop: async () => {
          stop.abort();
          await receiving;
        },
      };
    },
  };
}
