/**
 * A stand-in for mongodump, used in tests where the vendor's tool is missing: reads a server with the driver and
 * writes a real archive, with the tool's own words on standard error. The real one takes its place when it is
 * on PATH. It knows `--archive`, `--oplog` and what leads to the server, and nothing else.
 */
import { once } from "node:events";
import { BSON, type MongoClient } from "mongodb";
import { Crc64 } from "../../../src/engine/mongodb/crc64.ts";
import { connect, optionsOf } from "./arguments.ts";

const terminator = Buffer.from([0xff, 0xff, 0xff, 0xff]);

async function write(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
}

function header(db: string, collection: string, crc?: string): Uint8Array {
  const CRC = crc === undefined ? BSON.Long.ZERO : BSON.Long.fromString(crc, true, 16).toSigned();
  return BSON.serialize({ db, collection, EOF: crc !== undefined, CRC });
}

async function dumpCollection(
  client: MongoClient,
  from: { readonly db: string; readonly collection: string },
  as: { readonly db: string; readonly collection: string },
  filter: BSON.Document = {},
): Promise<number> {
  const crc = new Crc64();
  let documents = 0;
  await write(header(as.db, as.collection));
  const cursor = client.db(from.db).collection(from.collection).find(filter, { raw: true });
  for await (const document of cursor) {
    const bytes = Buffer.from(document as unknown as Uint8Array);
    crc.update(bytes);
    await write(bytes);
    documents += 1;
  }
  await write(terminator);
  await write(header(as.db, as.collection, crc.digest()));
  await write(terminator);
  return documents;
}

async function newestEntry(client: MongoClient): Promise<BSON.Timestamp> {
  const [newest] = await client
    .db("local")
    .collection("oplog.rs")
    .find()
    .sort({ $natural: -1 })
    .limit(1)
    .toArray();
  if (newest === undefined) throw new Error("error getting oplog start: no entries");
  return newest["ts"] as BSON.Timestamp;
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  if (options.has("version")) {
    process.stdout.write("mongodump version: 100.0.0-standin\n");
    return;
  }
  const client = await connect(options);
  try {
    const start = options.has("oplog") ? await newestEntry(client) : undefined;
    const { version } = (await client.db("admin").command({ buildInfo: 1 })) as { version: string };
    const found: { readonly db: string; readonly collection: string; readonly metadata: string }[] = [];
    for (const { name: db } of (await client.db("admin").admin().listDatabases({ nameOnly: true }))
      .databases) {
      if (["local", "config", "admin"].includes(db)) continue;
      for (const { name: collection } of await client.db(db).listCollections().toArray()) {
        const indexes = await client.db(db).collection(collection).indexes();
        const metadata = BSON.EJSON.stringify({ indexes, collectionName: collection, type: "collection" });
        found.push({ db, collection, metadata });
      }
    }
    await write(Buffer.from([0x6d, 0xe2, 0x99, 0x81]));
    await write(
      BSON.serialize({
        concurrent_collections: new BSON.Int32(1),
        version: "0.1",
        server_version: version,
        tool_version: "100.0.0-standin",
      }),
    );
    for (const { db, collection, metadata } of found)
      await write(BSON.serialize({ db, collection, metadata, size: 0, type: "collection" }));
    if (start !== undefined)
      await write(BSON.serialize({ db: "", collection: "oplog", metadata: "", size: 0, type: "" }));
    await write(terminator);
    for (const collection of found) {
      const documents = await dumpCollection(client, collection, collection);
      process.stderr.write(
        `done dumping \`${collection.db}.${collection.collection}\` (${documents} documents)\n`,
      );
    }
    if (start !== undefined) {
      const oplog = { db: "local", collection: "oplog.rs" };
      const end = await newestEntry(client);
      const range = { ts: { $gte: start, $lte: end } };
      const entries = await dumpCollection(client, oplog, { db: "", collection: "oplog" }, range);
      process.stderr.write(`\tdumped ${entries} oplog entries\n`);
    }
  } finally {
    await client.close();
  }
}

await main();
