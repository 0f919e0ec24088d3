/** The stored change log: one small envelope per segment, put only once, found again by listing. */
import { readFile, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import type { LogArchive, LogBranch, LogNames, LogSegment } from "../catalogue/catalogue.ts";
import { keys } from "../catalogue/keys.ts";
import { type DataKey, newDataKey } from "../crypto/data-key.ts";
import { type EnvelopeHeader, frameBytes, headerLimitBytes, readHeader } from "../crypto/header.ts";
import { seal, sealedFrameBytes } from "../crypto/seal.ts";
import { unseal } from "../crypto/unseal.ts";
import { HoldfastError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { decompressor } from "./codec.ts";
import { compressFile, compressFiles, hashFiles, readInto } from "./compress-files.ts";
import { contextOf, type RepositoryContext, type StoreSet, writable } from "./context.ts";
import { inLanes } from "./log-lanes.ts";
import type { LogFile, LogStore } from "./repository.ts";
import { type ReusedMemory, reusedMemory } from "./reused-memory.ts";
import { named, wholeFile } from "./source.ts";

const keyLifeMs = 60 * 60 * 1000;
/** Each compresses the next files while it seals and sends the last ones. */
const lanesCount = 3;
/** One start of a program serves so many files at most. */
const filesPerStart = 4;
/** In the place of a point's id in the context of log objects. */
const logPoint = "log";
const noNames: Pick<LogNames, "segmentBytes"> = { segmentBytes: 0 };

export function openLogStore(context: RepositoryContext): LogStore {
  const stores: StoreSet = context.logStores ?? context.stores;
  const prefix = context.policy.log?.store.prefix ?? context.prefix;
  const branchCache = new Map<string, { readonly etag: string; readonly branch: LogBranch }>();
  let session: { readonly dataKey: Promise<DataKey>; readonly untilMs: number } | undefined;

  const currentKey = (): Promise<DataKey> => {
    const nowMs = context.clock.nowMs();
    if (session === undefined || session.untilMs <= nowMs)
      session = { dataKey: newDataKey(context.recipients), untilMs: nowMs + keyLifeMs };
    return session.dataKey;
  };

  /** One piece of memory of just the right size; the frames are sealed in their places. */
  const sealBytes = async (
    key: string,
    compressed: Buffer,
    contentSha256?: string,
    memory: ReusedMemory = reusedMemory(),
  ): Promise<Buffer> => {
    const { codec } = context.policy.capture;
    const place = { context: contextOf(context, prefix, logPoint, key), codec };
    const about = contentSha256 === undefined ? place : { ...place, contentSha256 };
    let whole: Buffer = Buffer.alloc(0);
    let at = 0;
    const sealer = seal(await currentKey(), about, () => whole.subarray(at, at + sealedFrameBytes));
    const header = sealer.header();
    const frames = Math.max(1, Math.ceil(compressed.length / frameBytes));
    whole = memory.take(header.length + frames * sealedFrameBytes);
    at = header.copy(whole);
    for (const frame of sealer.push(compressed)) at += frame.length;
    for (const frame of sealer.end()) at += frame.length;
    return whole.subarray(0, at);
  };

  /** @throws data-damaged when the name is there with other content */
  const store = async (key: string, bytes: Buffer, contentSha256: string) => {
    const target = writable(stores);
    if (!(await target.abilities()).ifAbsent && (await stores.read.head(key)) !== undefined)
      return demandSame(stores.read, key, contentSha256);
    try {
      await target.put(key, bytes, { ifAbsent: true });
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== "object-exists") throw error;
      await demandSame(stores.read, key, contentSha256);
    }
  };

  const putOnce = async (key: string, path: string) => {
    const { codec, level } = context.policy.capture;
    const [compressed, [contentSha256 = ""]] = await Promise.all([
      compressFile(context.exec, codec, level, path),
      hashFiles(context.exec, [path]),
    ]);
    await store(key, await sealBytes(key, compressed, contentSha256), contentSha256);
  };

  const prepare = async ({ files }: Chunk, scratch: string): Promise<Prepared> => {
    const { codec, level } = context.policy.capture;
    const paths = files.map((file) => file.path);
    // Hashed beside the compression.
    const hashing = hashFiles(context.exec, paths);
    hashing.catch(() => undefined);
    try {
      const compressed = await compressFiles({ exec: context.exec, codec, level, scratch }, paths);
      return { files, compressed, hashes: await hashing, scratch };
    } catch (error) {
      await rm(scratch, { recursive: true, force: true });
      throw error;
    }
  };

  const finish = async (
    { files, compressed, hashes, scratch }: Prepared,
    memory: LaneMemory,
  ): Promise<void> => {
    try {
      for (const [index, { branch, name }] of files.entries()) {
        const key = keys.segment(prefix, branch, name);
        const bytes = await readInto(compressed[index] ?? "", memory.compressed);
        const contentSha256 = hashes[index] ?? "";
        await store(key, await sealBytes(key, bytes, contentSha256, memory.sealed), contentSha256);
      }
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  };

  const putAll: LogStore["putAll"] = async (files, scratch, onStored = async () => undefined) => {
    const chunks = chunksOf(files);
    const memories = chunks
      .slice(0, lanesCount)
      .map(() => ({ compressed: reusedMemory(), sealed: reusedMemory() }));
    await inLanes(
      chunks,
      lanesCount,
      {
        prepare: (chunk, lane, parity) => prepare(chunk, `${scratch}-${lane}-${parity}`),
        finish: (prepared, lane) => finish(prepared, memories[lane]!),
      },
      (doneCount) => onStored(chunks[doneCount - 1]?.end ?? 0),
    );
    // After a failure a request may still be reading it, and the collector knows when none does.
    for (const { compressed, sealed } of memories) {
      compressed.release();
      sealed.release();
    }
  };

  return {
    put: ({ branch, name }, path) => putOnce(keys.segment(prefix, branch, name), path),
    putAll,
    putPartial: async ({ branch, name }, path) => {
      const { codec, level } = context.policy.capture;
      const key = keys.segment(prefix, branch, `${name}.partial`);
      // It is still written to and has no one content; its frames alone say whether it is damaged.
      const compressed = await compressFile(context.exec, codec, level, path);
      await writable(stores).put(key, await sealBytes(key, compressed));
    },
    putHistory: (branch, path) => putOnce(keys.history(prefix, branch), path),
    archive: (names) =>
      readArchive(
        { ...context, ...(names === undefined ? {} : { logNames: names }) },
        stores.read,
        prefix,
        branchCache,
      ),
    fetch: async (key, path) => {
      if (!key.startsWith(keys.log(prefix)))
        throw new HoldfastError("usage", `'${key}' is no key of this policy's log`);
      let source: Readable;
      try {
        source = await stores.read.read(key);
      } catch (error) {
        if (error instanceof HoldfastError && error.code === "object-missing") return false;
        throw error;
      }
      await decodeTo(context, prefix, key, source, path);
      return true;
    },
  };
}

/** Compressed and hashed by programs, to be sealed and stored by us. */
interface Prepared {
  readonly files: readonly LogFile[];
  /** Paths of the compressed bytes and hashes of the raw ones, in the order of the files. */
  readonly compressed: readonly string[];
  readonly hashes: readonly string[];
  readonly scratch: string;
}

/** What one lane of `putAll` works in. */
interface LaneMemory {
  readonly compressed: ReusedMemory;
  readonly sealed: ReusedMemory;
}

interface Chunk {
  readonly files: readonly LogFile[];
  /** Files of this chunk and all before it. */
  readonly end: number;
}

/** Towards the end they become smaller, so that the lanes end together. */
function chunksOf(files: readonly LogFile[]): readonly Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at < files.length; ) {
    const share = Math.ceil((files.length - at) / (2 * lanesCount));
    const end = Math.min(at + Math.min(filesPerStart, share), files.length);
    chunks.push({ files: files.slice(at, end), end });
    at = end;
  }
  return chunks;
}

/** @throws data-damaged when the stored object has other content than ours */
async function demandSame(store: Store, key: string, contentSha256: string): Promise<void> {
  const header = await storedHeader(store, key);
  if (header.contentSha256 === contentSha256) return;
  throw new HoldfastError(
    "data-damaged",
    `'${key}' is stored already with other content: ${header.contentSha256} there, ${contentSha256} here`,
    { hint: "two servers write to one archive, or the server was restored without a new timeline" },
  );
}

async function storedHeader(store: Store, key: string): Promise<EnvelopeHeader> {
  const parts: Buffer[] = [];
  const sizeBytes = (await store.head(key))?.sizeBytes ?? 0;
  for await (const chunk of await store.read(key, 0, Math.min(sizeBytes, headerLimitBytes)))
    parts.push(chunk as Buffer);
  const read = readHeader(Buffer.concat(parts));
  if (read === undefined) throw new HoldfastError("data-damaged", `object '${key}' ends inside its header`);
  return read.header;
}

async function decodeTo(
  context: RepositoryContext,
  prefix: string,
  key: string,
  source: Readable,
  path: string,
): Promise<void> {
  let header: EnvelopeHeader | undefined;
  const place = contextOf(context, prefix, logPoint, key);
  const frames = unseal(source as AsyncIterable<Buffer>, context.ring, place, (h) => {
    header = h;
  });
  try {
    // The first frame comes by hand: the codec stands in the header.
    const first = await frames.next();
    const command = (await decompressor(context.exec, header?.codec ?? "none")) ?? { argv: ["cat"] as const };
    const all = async function* () {
      if (first.done !== true) yield first.value;
      yield* frames;
    };
    await wholeFile(path, async (descriptor) => {
      const input = Readable.from(all(), { objectMode: false });
      await context.exec.pipe([command], { input, outputDescriptor: descriptor }).done;
      if (header?.contentSha256 === undefined) return;
      const [found] = await hashFiles(context.exec, [`/proc/${process.pid}/fd/${descriptor}`]);
      if (found !== header.contentSha256)
        throw new HoldfastError("data-damaged", "its decoded content has another hash than its header says");
    });
  } catch (error) {
    source.destroy();
    throw named(key, error);
  }
}

async function readArchive(
  context: RepositoryContext,
  store: Store,
  prefix: string,
  cache: Map<string, { readonly etag: string; readonly branch: LogBranch }>,
): Promise<LogArchive> {
  const names = context.logNames;
  const segments: LogSegment[] = [];
  const branches: LogBranch[] = [];
  const place = keys.log(prefix);
  for await (const { key, sizeBytes, modifiedAt, etag } of store.list(place)) {
    const parts = key.slice(place.length).split("/");
    if (parts.length === 1 && key.endsWith(".history") && names !== undefined) {
      const branch = parts[0]!.slice(0, -".history".length);
      // Where a fork lies depends on the segment size, and that may be learnt between two calls.
      const cached = `${names.segmentBytes} ${key}`;
      const known = cache.get(cached);
      const read =
        known?.etag === etag ? known.branch : await readHistory(context, store, prefix, key, branch, names);
      cache.set(cached, { etag, branch: read });
      branches.push({ ...read, key });
      continue;
    }
    const [branch, file] = parts;
    if (branch === undefined || file === undefined || parts.length !== 2) continue;
    const partial = file.endsWith(".partial");
    const name = partial ? file.slice(0, -".partial".length) : file;
    const parsed = names?.parseSegment(name);
    if (parsed === undefined || parsed.branch !== branch) continue;
    segments.push({ name, ...parsed, partial, key, sizeBytes, storedAt: modifiedAt });
  }
  for (const { branch } of segments)
    if (!branches.some((b) => b.branch === branch)) branches.push({ branch });
  segments.sort((a, b) => a.sequence - b.sequence || (a.branch < b.branch ? -1 : 1));
  return { segments, branches, segmentBytes: (names ?? noNames).segmentBytes };
}

/** A history file is text of a few lines; without an identity the fork is not known, only that it is there. */
async function readHistory(
  context: RepositoryContext,
  store: Store,
  prefix: string,
  key: string,
  branch: string,
  names: LogNames,
): Promise<LogBranch> {
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(`${tmpdir()}/holdfast-history-`);
  try {
    const path = `${folder}/text`;
    await decodeTo(context, prefix, key, await store.read(key), path);
    return names.parseHistory(branch, await readFile(path, "utf8"));
  } catch (error) {
    if (!(error instanceof HoldfastError) || !error.code.startsWith("key-")) throw error;
    return { branch };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
