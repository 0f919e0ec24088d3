/**
 * The resident receiver: reads the oplog behind the last stored entry and stores it in slices. What it knows
 * of the past is in the store alone, so `kill -9` at any moment loses nothing: the next start reads the newest
 * slice and goes on where it ends. An entry is read again and compared before anything is put behind it; when
 * the server no longer has it the chain is broken, and that is said loudly.
 */
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MongoClient } from "mongodb";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { LogStore } from "../../repository/repository.ts";
import type { EngineContext, LogProgress } from "../engine.ts";
import { connectionOf, withClient } from "./connection.ts";
import { asBuffer, asTimestamp, committedPosition } from "./facts.ts";
import {
  comparePositions,
  logNames,
  positionText,
  positionWords,
  readEntry,
  type SliceName,
  sliceBytes,
  sliceName,
  slicesOf,
} from "./oplog.ts";
import { fetchSlice, type SliceEntry } from "./slice-cover.ts";

const longestPauseMs = 30_000;
/** A member that is behind the last stored entry gets this long to catch up before it counts as another history. */
const lagMs = 60_000;

/** When a slice is ended and the next one begins. */
export interface SliceShape {
  readonly maxBytes: number;
  readonly maxMs: number;
}

const usualShape: SliceShape = { maxBytes: sliceBytes, maxMs: 5 * 60_000 };

interface Session {
  readonly context: EngineContext;
  readonly log: LogStore;
  readonly onFlow: (flow: LogProgress) => void;
  readonly shape: SliceShape;
  /** The file of the slice under way. */
  readonly path: string;
  slice: SliceName;
  sizeBytes: number;
  beganAtMs: number;
  last: SliceEntry;
  /** Entries in the file that the store does not have yet. */
  isDirty: boolean;
  behindSinceMs?: number;
}

/** Runs until the signal aborts. @throws wal-gap when the server no longer has what comes next */
export async function receive(
  context: EngineContext,
  log: LogStore,
  onFlow: (flow: LogProgress) => void,
  shape: SliceShape = usualShape,
): Promise<void> {
  let pauseMs = 1000;
  while (!context.signal.aborted) {
    const startedAtMs = context.clock.nowMs();
    try {
      const connection = await connectionOf(context);
      await withClient(connection, (client) => receiveOnce(client, { context, log, onFlow, shape }));
    } catch (error) {
      if (context.signal.aborted) return;
      if (!(error instanceof HoldfastError) || !error.transient) throw error;
      context.log.warn("the receiver starts again", { policy: context.policy.name, cause: error.message });
    }
    if (context.clock.nowMs() - startedAtMs > longestPauseMs) pauseMs = 1000;
    await context.clock.wait(pauseMs * (0.75 + Math.random() / 2), context.signal).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

async function receiveOnce(
  client: MongoClient,
  given: Pick<Session, "context" | "log" | "onFlow" | "shape">,
): Promise<void> {
  const { context } = given;
  const folder = join(context.workDirectory, "slices");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const session = await openSession(client, given, join(folder, "current.bson"));
  const pushEveryMs = context.policy.log?.pushEveryMs ?? 2000;
  while (!context.signal.aborted) {
    await readNew(client, session);
    await push(session);
    await context.clock.wait(pushEveryMs, context.signal).catch(() => undefined);
  }
}

/** Goes on behind the newest stored slice, or begins the first run where nothing is stored. */
async function openSession(
  client: MongoClient,
  given: Pick<Session, "context" | "log" | "onFlow" | "shape">,
  path: string,
): Promise<Session> {
  const { context, log } = given;
  const newest = slicesOf(await log.archive(logNames)).at(-1);
  if (newest === undefined) {
    const session = await beginRun(client, given, path);
    context.log.info("the oplog is stored from here on", {
      policy: context.policy.name,
      from: session.slice.branch,
    });
    return session;
  }
  const entries = await fetchSlice(context, log, newest);
  const last = entries?.at(-1);
  const first = entries?.[0];
  if (entries === undefined || last === undefined || first === undefined)
    throw new HoldfastError("object-missing", `oplog slice ${newest.name} has gone while it was read`);
  const slice = { branch: newest.branch, sequence: newest.sequence, first: first.entry.at };
  if (!newest.partial) return openNext(given, path, slice, last);
  await writeFile(path, Buffer.concat(entries.map((e) => e.document)), { mode: 0o600 });
  const sizeBytes = entries.reduce((sum, e) => sum + e.document.length, 0);
  return { ...given, path, slice, sizeBytes, beganAtMs: context.clock.nowMs(), last, isDirty: false };
}

async function openNext(
  given: Pick<Session, "context" | "log" | "onFlow" | "shape">,
  path: string,
  before: SliceName,
  last: SliceEntry,
): Promise<Session> {
  await writeFile(path, last.document, { mode: 0o600 });
  const slice = { branch: before.branch, sequence: before.sequence + 1, first: last.entry.at };
  const sizeBytes = last.document.length;
  // Nothing new yet: it is pushed with its second entry.
  return { ...given, path, slice, sizeBytes, beganAtMs: given.context.clock.nowMs(), last, isDirty: false };
}

async function beginRun(
  client: MongoClient,
  given: Pick<Session, "context" | "log" | "onFlow" | "shape">,
  path: string,
): Promise<Session> {
  const at = await committedPosition(client);
  const found =
    at === undefined
      ? undefined
      : await client
          .db("local")
          .collection("oplog.rs")
          .find({ ts: asTimestamp(at) }, { raw: true })
          .limit(1)
          .toArray();
  const document = found?.[0] as unknown;
  if (at === undefined || document === undefined) {
    throw new HoldfastError("source-unreachable", "the server has no oplog to read yet", {
      hint: "it must be a replica set, and the user needs the role backup",
    });
  }
  const bytes = Buffer.from(asBuffer(document));
  await writeFile(path, bytes, { mode: 0o600 });
  return {
    ...given,
    path,
    slice: { branch: positionText(at), sequence: 0, first: at },
    sizeBytes: bytes.length,
    beganAtMs: given.context.clock.nowMs(),
    last: { entry: readEntry(bytes), document: bytes },
    isDirty: true,
  };
}

/** Appends everything the server has behind the last entry, a majority of the set having it. */
async function readNew(client: MongoClient, session: Session): Promise<void> {
  const { context } = session;
  const cursor = client
    .db("local")
    .collection("oplog.rs")
    .find(
      { ts: { $gte: asTimestamp(session.last.entry.at) } },
      { raw: true, readConcern: { level: "majority" } },
    )
    .sort({ $natural: 1 });
  let isJoined = false;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const flush = async (): Promise<void> => {
    if (pending.length === 0) return;
    await appendFile(session.path, Buffer.concat(pending));
    session.sizeBytes += pendingBytes;
    session.isDirty = true;
    pending = [];
    pendingBytes = 0;
    if (session.sizeBytes >= session.shape.maxBytes) await endSlice(session);
  };
  try {
    for await (const document of cursor) {
      if (context.signal.aborted) break;
      // The driver's buffer is a view into a whole reply.
      const bytes = Buffer.from(asBuffer(document as unknown));
      const entry = readEntry(bytes);
      if (!isJoined) {
        if (!isSame(session.last, { entry, document: bytes })) await breakChain(client, session, entry);
        isJoined = true;
        continue;
      }
      // Two writers of a server that keeps no order among them; a real oplog has one.
      if (comparePositions(entry.at, session.last.entry.at) <= 0) continue;
      pending.push(bytes);
      pendingBytes += bytes.length;
      session.last = { entry, document: bytes };
      if (session.sizeBytes + pendingBytes >= session.shape.maxBytes) await flush();
    }
  } finally {
    await cursor.close().catch(() => undefined);
  }
  if (!isJoined && !context.signal.aborted) await judgeBehind(client, session);
  else delete session.behindSinceMs;
  await flush();
}

function isSame(a: SliceEntry, b: SliceEntry): boolean {
  return (
    comparePositions(a.entry.at, b.entry.at) === 0 &&
    a.entry.term === b.entry.term &&
    a.document.equals(b.document)
  );
}

/** No entry at or behind ours: the member lags, or its history ends earlier. */
async function judgeBehind(client: MongoClient, session: Session): Promise<void> {
  const nowMs = session.context.clock.nowMs();
  session.behindSinceMs ??= nowMs;
  if (nowMs - session.behindSinceMs > lagMs) await breakChain(client, session, undefined);
}

/**
 * Begins a new run at the server's present end, stores that, and throws: the failure is seen and alerted, and
 * the next start already keeps what follows. @throws wal-gap
 */
async function breakChain(
  client: MongoClient,
  session: Session,
  found: { readonly at: SliceEntry["entry"]["at"] } | undefined,
): Promise<never> {
  const { context, log, slice, last } = session;
  await push(session);
  const next = await beginRun(client, session, `${session.path}.next`);
  // The same position under another history would mix the two runs.
  if (next.slice.branch !== slice.branch) {
    await log.putPartial({ branch: next.slice.branch, name: sliceName(next.slice) }, next.path);
  }
  const has =
    found === undefined
      ? "ends before it"
      : `goes on at ${positionWords(found.at)} or holds another entry there`;
  context.log.error("the chain of oplog slices is broken", {
    policy: context.policy.name,
    storedUpTo: positionWords(last.entry.at),
    newRun: next.slice.branch,
  });
  throw new HoldfastError(
    "wal-gap",
    `the oplog is stored up to ${positionWords(last.entry.at)}, and the server ${has}; instants between there and the next dump cannot be restored`,
    {
      hint: `take a new dump now: holdfast backup ${context.policy.name}; then make the oplog longer (replSetResizeOplog)`,
    },
  );
}

async function push(session: Session): Promise<void> {
  const { context, log, slice } = session;
  const isOld = context.clock.nowMs() - session.beganAtMs >= session.shape.maxMs;
  const hasMoved = comparePositions(session.last.entry.at, slice.first) > 0;
  if (isOld && hasMoved) return endSlice(session);
  if (!session.isDirty) return;
  const name = sliceName(slice);
  await log.putPartial({ branch: slice.branch, name }, session.path);
  session.isDirty = false;
  session.onFlow({ stored: name, storedAt: instant(context.clock.nowMs()), partial: true });
}

/** Stores the slice whole and begins the next one with its last entry. */
async function endSlice(session: Session): Promise<void> {
  const { context, log, slice, last, path } = session;
  const name = sliceName(slice);
  await log.put({ branch: slice.branch, name }, path);
  session.onFlow({ stored: name, storedAt: instant(context.clock.nowMs()), partial: false });
  Object.assign(session, await openNext(session, path, slice, last));
}
