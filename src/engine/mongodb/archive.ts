/**
 * Reads a mongodump archive from its first byte to its last without keeping it: every block's shape, every
 * collection's checksum, and that each collection the prelude promises is there to its end. Without the
 * vendor's tool this is what tells a whole archive from a cut or damaged one.
 * @see mongo-tools, common/archive: a magic number, then blocks of a header document, body documents and four
 *   bytes of ones; the first block is the prelude, and a header with EOF carries the CRC-64 of its collection
 */
import { createHash } from "node:crypto";
import { HoldfastError } from "../../errors.ts";
import { type Element, elements, leastDocumentBytes, mostDocumentBytes, textOf } from "./bson.ts";
import { ByteReader } from "./byte-reader.ts";
import { Crc64 } from "./crc64.ts";
import { type OplogEntry, type Position, positionText, readEntry } from "./oplog.ts";

const magic = 0x8199e26d;
const terminator = 0xffffffff;
/** The oplog's place in an archive: a collection of no database. */
const oplogName = ".oplog";

export interface ArchivedCollection {
  readonly database: string;
  readonly collection: string;
  /** `collection`, `view`, `timeseries`; empty for the oplog. */
  readonly type: string;
  readonly documents: number;
  readonly sizeBytes: number;
  /** Sum of a hash of each document: the same whatever the order. 16 hex digits. */
  readonly contents: string;
}

export interface ArchiveFacts {
  readonly toolVersion: string;
  readonly serverVersion: string;
  readonly sizeBytes: number;
  readonly collections: readonly ArchivedCollection[];
  /** Entries the dump took along to become one instant; absent without `--oplog`. */
  readonly oplog?: {
    readonly entries: number;
    /** Hex, as `positionText` writes it; absent when there are no entries. */
    readonly firstAt?: string;
    readonly lastAt?: string;
    /** Collections (or `database.*`) that changed during the dump. */
    readonly touched: readonly string[];
  };
}

interface Tally {
  readonly database: string;
  readonly collection: string;
  readonly type: string;
  readonly crc: Crc64;
  documents: number;
  sizeBytes: number;
  contents: bigint;
  isEnded: boolean;
}

interface OplogTally {
  entries: number;
  first?: Position;
  last?: Position;
  readonly touched: Set<string>;
}

/** @throws data-damaged, naming where and what; an archive that ends early is damaged too */
export async function readArchive(stream: AsyncIterable<Uint8Array>): Promise<ArchiveFacts> {
  const reader = new ByteReader(stream);
  const magicBytes = await reader.read(4);
  if (magicBytes === undefined || magicBytes.readUInt32LE(0) !== magic)
    throw broken("it does not begin as an archive of mongodump does");
  const { header, tallies } = await readPrelude(reader);
  const oplog: OplogTally = { entries: 0, touched: new Set() };
  while (await readBlock(reader, tallies, oplog));
  for (const tally of tallies.values()) {
    // Of a view there is only the definition, and of a time series only the buckets.
    if (tally.isEnded || tally.type === "view" || tally.type === "timeseries") continue;
    throw broken(`it ends before the end of ${nameOf(tally)}`);
  }
  const hasOplog = tallies.has(oplogName);
  return {
    toolVersion: header.get("tool_version") ?? "",
    serverVersion: header.get("server_version") ?? "",
    sizeBytes: reader.position,
    collections: [...tallies.values()]
      .filter((t) => `${t.database}.${t.collection}` !== oplogName)
      .map((t) => ({
        database: t.database,
        collection: t.collection,
        type: t.type,
        documents: t.documents,
        sizeBytes: t.sizeBytes,
        contents: contentsText(t.contents),
      })),
    ...(hasOplog
      ? {
          oplog: {
            entries: oplog.entries,
            ...(oplog.first === undefined ? {} : { firstAt: positionText(oplog.first) }),
            ...(oplog.last === undefined ? {} : { lastAt: positionText(oplog.last) }),
            touched: [...oplog.touched].sort(),
          },
        }
      : {}),
  };
}

async function readPrelude(
  reader: ByteReader,
): Promise<{ readonly header: ReadonlyMap<string, string>; readonly tallies: Map<string, Tally> }> {
  const first = await readDocument(reader);
  if (first === undefined || first === "end") throw broken("it has no prelude");
  const header = texts(first);
  const version = header.get("version");
  if (version !== "0.1") throw broken(`its format is '${version ?? "unknown"}', this reads 0.1`);
  const tallies = new Map<string, Tally>();
  for (;;) {
    const document = await readDocument(reader);
    if (document === undefined) throw broken("it ends in its prelude");
    if (document === "end") return { header, tallies };
    const fields = texts(document);
    const tally = newTally(fields.get("db") ?? "", fields.get("collection") ?? "", fields.get("type") ?? "");
    tallies.set(`${tally.database}.${tally.collection}`, tally);
  }
}

function newTally(database: string, collection: string, type: string): Tally {
  return {
    database,
    collection,
    type,
    crc: new Crc64(),
    documents: 0,
    sizeBytes: 0,
    contents: 0n,
    isEnded: false,
  };
}

/** False at the end of the archive. */
async function readBlock(
  reader: ByteReader,
  tallies: Map<string, Tally>,
  oplog: OplogTally,
): Promise<boolean> {
  const header = await readDocument(reader);
  if (header === undefined) return false;
  if (header === "end") throw broken(`a block has no header, at byte ${reader.position}`);
  const fields = new Map<string, Element>();
  for (const element of elements(header)) fields.set(element.name, element);
  const database = textOf(fields.get("db"));
  const collection = textOf(fields.get("collection"));
  if (database === undefined || collection === undefined)
    throw broken(`a block names no collection, at byte ${reader.position}`);
  const name = `${database}.${collection}`;
  // The buckets of a time series stand in the prelude under the name of the series.
  const tally = tallies.get(name) ?? newTally(database, collection, "buckets");
  tallies.set(name, tally);
  if (tally.isEnded) throw broken(`${nameOf(tally)} goes on behind its end`);
  const isEnd = fields.get("EOF")?.value[0] === 1;
  for (;;) {
    const document = await readDocument(reader);
    if (document === undefined) throw broken(`it ends inside ${nameOf(tally)}`);
    if (document === "end") break;
    if (isEnd) throw broken(`${nameOf(tally)} has data behind its end`);
    count(tally, document);
    if (name === oplogName) countOplog(oplog, readEntry(document));
  }
  if (isEnd) endCollection(tally, fields.get("CRC"));
  return true;
}

function endCollection(tally: Tally, wanted: Element | undefined): void {
  tally.isEnded = true;
  const found = tally.crc.digest();
  const stored = wanted?.value.readBigUInt64LE(0).toString(16).padStart(16, "0");
  if (stored === found) return;
  throw broken(`the checksum of ${nameOf(tally)} is ${found}, its end says ${stored ?? "nothing"}`);
}

function count(tally: Tally, document: Buffer): void {
  tally.documents += 1;
  tally.sizeBytes += document.length;
  tally.crc.update(document);
  tally.contents += documentHash(document);
}

function countOplog(oplog: OplogTally, entry: OplogEntry): void {
  oplog.entries += 1;
  oplog.first ??= entry.at;
  oplog.last = entry.at;
  if (entry.operation === "n") return;
  const [database = ""] = entry.namespace.split(".", 1);
  // A command may change anything of its database; transactions are commands in `admin`.
  oplog.touched.add(
    entry.operation === "c" ? (database === "admin" ? "*" : `${database}.*`) : entry.namespace,
  );
}

/** A document's part of `contents`. */
export function documentHash(document: Uint8Array): bigint {
  return createHash("sha1").update(document).digest().readBigUInt64LE(0);
}

/** 16 hex digits of a sum of `documentHash`. */
export function contentsText(sum: bigint): string {
  return BigInt.asUintN(64, sum).toString(16).padStart(16, "0");
}

/** Undefined at the end of the stream, "end" for the four bytes that close a block. */
async function readDocument(reader: ByteReader): Promise<Buffer | "end" | undefined> {
  const at = reader.position;
  const head = reader.peek(4) ?? (await reader.peekLater(4));
  if (head === undefined) {
    if (reader.isEmpty) return undefined;
    throw broken(`it is cut off at byte ${at}`);
  }
  const length = head.readUInt32LE(0);
  if (length === terminator) {
    reader.skip(4);
    return "end";
  }
  if (length < leastDocumentBytes || length > mostDocumentBytes)
    throw broken(`${length} is no length of a document, at byte ${at}`);
  const document = reader.take(length) ?? (await reader.read(length));
  if (document === undefined) throw broken(`it is cut off at byte ${at}`);
  if (document.at(-1) !== 0) throw broken(`a document does not end with a zero, at byte ${at}`);
  return document;
}

function texts(document: Buffer): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const element of elements(document)) {
    const text = textOf(element);
    if (text !== undefined) found.set(element.name, text);
  }
  return found;
}

function nameOf({
  database,
  collection,
}: {
  readonly database: string;
  readonly collection: string;
}): string {
  return database === "" ? "the archive's own oplog" : `'${database}.${collection}'`;
}

function broken(why: string): HoldfastError {
  return new HoldfastError("data-damaged", `the archive is damaged: ${why}`);
}
