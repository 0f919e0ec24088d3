/**
 * A stand-in for mongorestore, used in tests where there is no mongod: FerretDB knows neither `applyOps` nor a
 * field that the vendor's tool puts into its inserts. Loads an archive, replays an oplog of plain inserts,
 * updates and deletes, and speaks as the tool does. The real one takes its place beside a real mongod.
 */
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BSON, type MongoClient } from "mongodb";
import { documentsOf } from "../../../src/engine/mongodb/bson.ts";
import { ByteReader } from "../../../src/engine/mongodb/byte-reader.ts";
import { connect, optionsOf } from "./arguments.ts";

const raw = { promoteValues: false, promoteLongs: false } as const;
const batchSize = 500;
let loaded = 0;

async function nextDocument(reader: ByteReader): Promise<Buffer | undefined> {
  const head = await reader.peekLater(4);
  if (head === undefined) return undefined;
  const length = head.readUInt32LE(0);
  const bytes = await reader.read(length === 0xffffffff ? 4 : length);
  if (bytes === undefined) throw new Error("corruption found in archive");
  return bytes;
}

async function insert(
  client: MongoClient,
  db: string,
  collection: string,
  documents: readonly Buffer[],
): Promise<void> {
  if (documents.length === 0) return;
  await client
    .db(db)
    .collection(collection)
    .insertMany(documents.map((d) => BSON.deserialize(d, raw)));
  loaded += documents.length;
}

/** @returns the archive's own oplog */
async function loadArchive(client: MongoClient, path: string): Promise<readonly Buffer[]> {
  const reader = new ByteReader(createReadStream(path, { highWaterMark: 1 << 20 }));
  if ((await reader.read(4))?.readUInt32LE(0) !== 0x8199e26d) throw new Error("no mongodump archive");
  const oplog: Buffer[] = [];
  await nextDocument(reader);
  for (;;) {
    const document = await nextDocument(reader);
    if (document === undefined || document.length === 4) break;
    const { db, collection, metadata } = BSON.deserialize(document);
    if (db === "") continue;
    await client.db(db).createCollection(collection);
    const { indexes } = BSON.EJSON.parse(metadata) as { indexes: { key: BSON.Document; name: string }[] };
    for (const { key, name } of indexes)
      if (name !== "_id_")
        await client
          .db(db)
          .collection(collection)
          .createIndex(key as never, { name });
  }
  for (;;) {
    const header = await nextDocument(reader);
    if (header === undefined) return oplog;
    const { db, collection } = BSON.deserialize(header);
    let batch: Buffer[] = [];
    for (;;) {
      const document = await nextDocument(reader);
      if (document === undefined || document.length === 4) break;
      if (db === "") oplog.push(document);
      else batch.push(document);
      if (batch.length < batchSize) continue;
      await insert(client, db, collection, batch);
      batch = [];
    }
    await insert(client, db, collection, batch);
  }
}

async function replay(client: MongoClient, oplog: Iterable<Buffer>): Promise<number> {
  let count = 0;
  for (const bytes of oplog) {
    const entry = BSON.deserialize(bytes, raw);
    const [db = "", ...rest] = String(entry["ns"]).split(".");
    if (db === "local" || db === "admin" || db === "config" || db === "") continue;
    const collection = client.db(db).collection(rest.join("."));
    const document = (entry["op"] === "u" ? entry["o"].$set : entry["o"]) as BSON.Document;
    if (entry["op"] === "d") await collection.deleteOne({ _id: document["_id"] });
    else await collection.replaceOne({ _id: document["_id"] }, document, { upsert: true });
    count += 1;
  }
  return count;
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  if (options.has("version")) {
    process.stdout.write("mongorestore version: 100.0.0-standin\n");
    return;
  }
  const client = await connect(options);
  try {
    const archive = options.get("archive");
    let oplog: Iterable<Buffer> = archive === undefined ? [] : await loadArchive(client, archive);
    const file = join(options.get("dir") ?? "", "oplog.bson");
    if (archive === undefined && existsSync(file)) oplog = documentsOf(readFileSync(file));
    if (options.has("oplogReplay"))
      process.stderr.write(`applied ${await replay(client, oplog)} oplog entries\n`);
    process.stderr.write(`${loaded} document(s) restored successfully. 0 document(s) failed to restore.\n`);
  } finally {
    await client.close();
  }
}

await main();
