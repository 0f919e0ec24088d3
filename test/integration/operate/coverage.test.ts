/** What no policy takes, at real servers of every component but the cluster, which has a file of its own. */
import { createServer, type Socket } from "node:net";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it } from "vitest";
import { lookAround } from "../../../src/operate/look-around.ts";
import {
  clickhousePolicy,
  clickhouseTools,
  passwordVariable,
  startClickhouse,
} from "../../servers/clickhouse.ts";
import { ferretProgram, mongoPolicy, startMongo } from "../../servers/ferretdb.ts";
import { replicationPolicy } from "../../servers/minio.ts";
import { baoProgram, mountKeyValue, secretsPolicy, startBao, tokenName } from "../../servers/openbao.ts";
import { freePort } from "../../servers/ports.ts";
import { startPostgres } from "../../servers/postgresql.ts";
import { redisPolicy, startRedis } from "../../servers/redis.ts";
import { s3ServerProgram, startS3Server } from "../../servers/s3-server.ts";
import { s3Settings } from "../../servers/settings.ts";
import { until } from "../../servers/waiting.ts";
import { openWorld, policyFor } from "../../servers/world.ts";
import { findsWhatIsPlanted } from "./planted.ts";

const opened: (() => Promise<unknown>)[] = [];
const variables = [passwordVariable, tokenName, "HOLDFAST_TEST_COVER_ID", "HOLDFAST_TEST_COVER_SECRET"];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  for (const name of variables) delete process.env[name];
});

describe("coverage of PostgreSQL", () => {
  it("finds rows that no base backup brings back, in every database", async () => {
    const postgres = await startPostgres();
    opened.push(() => postgres.remove());
    await postgres.run("create database shop");
    await postgres.run("create unlogged table carts (id int)", "shop");
    await postgres.run("create table orders (id int)", "shop");
    await postgres.run("create temporary table passing (id int)", "shop");
    const { log: _, ...policy } = policyFor(postgres);
    await findsWhatIsPlanted({
      policies: [policy],
      uncovered: ["unlogged-table/shop.public.carts"],
      covered: ["database/postgres", "database/shop", "database/template1"],
      unreachable: { connection: { ...policy.connection, port: await freePort() } },
    });
  });

  it("says unknown of a database that its user may not enter, and ends at the deadline before a silent server", async () => {
    const postgres = await startPostgres();
    opened.push(() => postgres.remove());
    await postgres.run("create database closed");
    await postgres.run("revoke connect on database closed from public");
    await postgres.run("create role backup login replication");
    const { log: _, ...policy } = policyFor(postgres);
    const test = await openWorld({ ...policy, connection: { ...policy.connection, user: "backup" } });
    opened.push(() => test.close());
    expect((await lookAround(test.world)).looks).toMatchObject([
      { unseen: ["the tables of database 'closed': this user may not connect to it"] },
    ]);
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket));
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    opened.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => void silent.close(() => done()));
    });
    const { port } = silent.address() as { port: number };
    const mute = await test.reopen({ connection: { ...policy.connection, port } });
    const startedMs = performance.now();
    expect((await lookAround(mute, { deadlineMs: 1000 })).looks).toMatchObject([
      { cause: "it has not answered in 1 s" },
    ]);
    // Before the driver itself would have given up.
    expect(performance.now() - startedMs).toBeLessThan(9000);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    await expect(lookAround(mute, { signal: stop.signal })).rejects.toThrow(/abort/i);
  });
});

describe.skipIf(s3ServerProgram("seaweedfs") === undefined)("coverage of buckets", () => {
  it("finds the bucket that no policy of the endpoint takes, and none that holds points", async () => {
    const server = await startS3Server("seaweedfs");
    opened.push(() => server.stop());
    process.env["HOLDFAST_TEST_COVER_ID"] = server.accessKeyId;
    process.env["HOLDFAST_TEST_COVER_SECRET"] = server.secretAccessKey;
    const credentials = { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey };
    const client = new S3Client({
      endpoint: server.endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials,
    });
    for (const Bucket of ["models", "images", "forgotten"])
      await client.send(new CreateBucketCommand({ Bucket }));
    client.destroy();
    const take = (bucket: string) => {
      const usual = replicationPolicy({ endpoint: server.endpoint, bucket }, "");
      const keys = {
        accessKeyIdFrom: { env: "HOLDFAST_TEST_COVER_ID" },
        secretAccessKeyFrom: { env: "HOLDFAST_TEST_COVER_SECRET" },
      };
      return { ...usual, name: bucket, connection: { ...usual.connection, ...keys } };
    };
    const found = await findsWhatIsPlanted({
      policies: [take("models"), take("images")],
      stores: [s3Settings(server.endpoint, server.bucket, "points")],
      uncovered: ["bucket/forgotten"],
      covered: ["bucket/images", "bucket/models"],
      setAside: [`bucket/${server.bucket}`],
      unreachable: {
        connection: { ...take("models").connection, endpoint: `http://127.0.0.1:${await freePort()}` },
      },
    });
    expect(found.items.find((i) => i.item === "bucket/models")?.policies).toEqual(["models"]);
  });
});

describe.skipIf(baoProgram() === undefined)("coverage of OpenBao", () => {
  it("finds the mount that an export leaves out and the one it cannot hold, and a snapshot takes both", async () => {
    const bao = await startBao(baoProgram() ?? "");
    opened.push(() => bao.stop());
    process.env[tokenName] = bao.token;
    await mountKeyValue(bao.api, "app", 2);
    await mountKeyValue(bao.api, "forgotten", 1);
    await bao.api.write("sys/mounts/transit", { type: "transit" });
    const usual = secretsPolicy(bao);
    const exported = {
      ...usual,
      capture: { ...usual.capture, options: { vaultMounts: ["app"] } },
    };
    const unreachable = {
      connection: { ...usual.connection, vaultAddress: `http://127.0.0.1:${await freePort()}` },
    };
    await findsWhatIsPlanted({
      policies: [exported],
      uncovered: ["mount/forgotten", "mount/transit"],
      covered: ["mount/app"],
      setAside: ["mount/cubbyhole", "mount/identity", "mount/sys"],
      unreachable,
    });
    const snapshot = {
      ...usual,
      name: "snapshot",
      capture: { ...usual.capture, method: "raft-snapshot" },
    };
    const both = await findsWhatIsPlanted({
      policies: [exported, snapshot],
      uncovered: [],
      covered: ["mount/app", "mount/forgotten", "mount/transit"],
      unreachable,
    });
    expect(both.items.find((i) => i.item === "mount/transit")?.policies).toEqual(["snapshot"]);
    // Without the right to list mounts nothing is said of those the policy does not name.
    await bao.api.write("sys/policies/acl/narrow", {
      policy: 'path "app/*" { capabilities = ["read", "list"] }',
    });
    const made = await bao.api.ask("POST", "auth/token/create", { policies: ["narrow"] });
    process.env[tokenName] = (made.body as { auth: { client_token: string } }).auth.client_token;
    const test = await openWorld(exported);
    opened.push(() => test.close());
    expect((await lookAround(test.world)).looks).toMatchObject([
      { items: [{ name: "app" }], unseen: [expect.stringContaining("may not read sys/mounts")] },
    ]);
  });
});

const clickhouse = clickhouseTools();

describe.skipIf(clickhouse === undefined)("coverage of ClickHouse", () => {
  it("finds the table that the selection leaves out, and rows that lie elsewhere", async () => {
    process.env[passwordVariable] = "covered-or-not";
    const server = await startClickhouse(clickhouse ?? "", "covered-or-not");
    opened.push(() => server.stop());
    for (const statement of [
      "CREATE DATABASE shop",
      "CREATE DATABASE metrics",
      "CREATE TABLE shop.orders (id UInt64) ENGINE = MergeTree ORDER BY id",
      "CREATE TABLE shop.elsewhere (id UInt64) ENGINE = URL('http://127.0.0.1:9/none', 'CSV')",
      "CREATE TABLE metrics.samples (id UInt64) ENGINE = MergeTree ORDER BY id",
    ])
      await server.run(statement);
    const usual = clickhousePolicy(server, clickhouse ?? "");
    const policy = {
      ...usual,
      capture: { ...usual.capture, options: { ...usual.capture.options, tables: ["shop.*"] } },
    };
    await findsWhatIsPlanted({
      policies: [policy],
      uncovered: ["table/metrics.samples", "table/shop.elsewhere"],
      covered: ["table/shop.orders"],
      unreachable: { connection: { ...policy.connection, port: await freePort() } },
    });
  });
});

describe.skipIf(ferretProgram() === undefined)("coverage of MongoDB", () => {
  it("finds the collection in the one database that no dump holds", async () => {
    const mongo = await startMongo();
    opened.push(() => mongo.remove());
    await mongo.client.db("shop").collection("orders").insertOne({ item: 1 });
    await mongo.client.db("local").collection("notes").insertOne({ text: "not replicated, not dumped" });
    const policy = mongoPolicy(mongo);
    await findsWhatIsPlanted({
      policies: [policy],
      uncovered: ["collection/local.notes"],
      covered: ["collection/shop.orders"],
      setAside: ["collection/local.oplog.rs"],
      unreachable: { connection: { ...policy.connection, port: await freePort() } },
    });
  });
});

describe("coverage of Redis", () => {
  it("takes every database of a single server for covered", async () => {
    const redis = await startRedis();
    opened.push(() => redis.stop());
    await redis.ask(async (client) => {
      await client.command("SET", "a", "1");
      await client.command("SELECT", "7");
      await client.command("SET", "b", "1");
    });
    const policy = redisPolicy(redis);
    await findsWhatIsPlanted({
      policies: [policy],
      uncovered: [],
      covered: ["database/0", "database/7"],
      unreachable: { connection: { ...policy.connection, port: await freePort() } },
    });
  });

  it("finds the primary of a cluster whose slots are in nobody's snapshots", async () => {
    const nodes = [];
    for (let n = 0; n < 3; n += 1) {
      // The bus listens 10,000 above the port.
      const node = await startRedis({
        settings: { "cluster-enabled": "yes", "cluster-port": String(await freePort()) },
      });
      opened.push(() => node.stop());
      nodes.push(node);
    }
    const [first, second, empty] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];
    const busOf = async (node: typeof first): Promise<string> =>
      String(await node.ask((c) => c.command("CLUSTER", "MYID"))) &&
      (/@(\d+)/.exec(String(await node.ask((c) => c.command("CLUSTER", "NODES"))))?.[1] ?? "");
    await first.ask((c) => c.command("CLUSTER", "ADDSLOTSRANGE", "0", "8191"));
    await second.ask((c) => c.command("CLUSTER", "ADDSLOTSRANGE", "8192", "16383"));
    for (const other of [second, empty]) {
      const bus = await busOf(other);
      await first.ask((c) => c.command("CLUSTER", "MEET", "127.0.0.1", String(other.port), bus));
    }
    const isWhole = (node: typeof first): Promise<boolean> =>
      node.ask(async (c) => {
        const info = String(await c.command("CLUSTER", "INFO"));
        return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
      });
    for (const node of nodes) await until(() => isWhole(node), 60_000);
    await first.ask((c) => c.command("CLUSTER", "NODES"));
    const policy = redisPolicy(first);
    const unreachable = { connection: { ...policy.connection, port: await freePort() } };
    await findsWhatIsPlanted({
      policies: [policy],
      uncovered: [`primary/127.0.0.1:${second.port}`],
      covered: [`primary/127.0.0.1:${first.port}`],
      setAside: [`primary/127.0.0.1:${empty.port}`],
      unreachable,
    });
    await findsWhatIsPlanted({
      policies: [policy, { ...redisPolicy(second), name: "second" }],
      uncovered: [],
      covered: [`primary/127.0.0.1:${first.port}`, `primary/127.0.0.1:${second.port}`],
      unreachable,
    });
  });
});
