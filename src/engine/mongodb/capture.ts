/**
 * One dump with mongodump, streamed as an archive into the sink; with the oplog of its own duration it is the
 * state of one instant. Before it the oplog must be long enough, and where slices are kept the store must
 * already hold them up to the dump's beginning. @see MongoDB Database Tools, mongodump --oplog
 */
import type { MongoClient } from "mongodb";
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { canaryDatabase } from "./canary.ts";
import { type Connection, connectionOf, placeOf, withClient } from "./connection.ts";
import { oplogWindowMs, wantsOplog } from "./drift.ts";
import {
  committedPosition,
  dataBytes,
  listCollections,
  readIdentity,
  readOplogSize,
  type ServerFacts,
  type SourceCollection,
  serverNowMs,
} from "./facts.ts";
import { positionText } from "./oplog.ts";
import { type SliceCover, waitForSlices } from "./slice-cover.ts";
import { toolPath, toolVersion, withToolArguments } from "./tool.ts";

export const archiveArtifact = "dump.archive";
/** What the sink keeps of a tool's words; beyond it the beginning is missing and cannot be judged. */
const wordsLimitBytes = 60_000;
const mebibyte = 1024 * 1024;

interface Before {
  readonly facts: ServerFacts;
  readonly collections: readonly SourceCollection[];
  readonly startText?: string;
}

/** @throws as the contract says; wal-gap when the oplog is too short, or the store lacks the slices before the dump */
export async function capture(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const connection = await connectionOf(context);
  const program = await toolPath(context, "mongodump");
  const [version, before] = await Promise.all([
    toolVersion(context, program),
    withClient(connection, (client) => lookBefore(context, request, client)),
  ]);
  const cover = await coverFor(context, request, connection);
  context.step(`mongodump of ${placeOf(connection)}, MongoDB ${before.facts.version}`);
  const { stderr, bytes } = await dumpBesideSizing(context, connection, program, sink);
  const after = await withClient(connection, (client) => lookAfter(context, client, bytes));
  const dumped = parseDumped(stderr);
  requireWhole(connection, before.collections, after.collections, dumped, stderr);
  return {
    capture: "full",
    parents: [],
    filesCount: dumped.size,
    tools: { mongodump: version },
    server: { version: before.facts.version, identity: before.facts.identity },
    restoreNeeds: {
      diskBytes: Math.ceil(after.bytes * 2.2) + 256 * mebibyte,
      memoryBytes: 512 * mebibyte,
    },
    engine: {
      oplog: wantsOplog(context.policy),
      ...(before.startText === undefined ? {} : { startPosition: before.startText }),
      ...(after.position === undefined ? {} : { endPosition: positionText(after.position) }),
      replicaSet: before.facts.replicaSet ?? "",
      collections: dumped.size,
    },
    consistentAt: instant(after.atMs),
    ...(cover === undefined
      ? {}
      : {
          log: { branch: cover.branch, firstSequence: cover.sequence, lastSequence: cover.sequence },
        }),
  };
}

/** Only what has to be known before the first byte: what follows it is compared with this. */
async function lookBefore(
  context: EngineContext,
  request: CaptureRequest,
  client: MongoClient,
): Promise<Before> {
  const [facts, collections] = await Promise.all([readIdentity(client), listCollections(client)]);
  if (wantsOplog(context.policy)) await requireWindow(context, request, client, facts);
  return {
    facts,
    collections,
    ...(facts.oplog === undefined ? {} : { startText: positionText(facts.oplog.newest.at) }),
  };
}

/** What a restore needs is counted while the dump runs: for some servers that is a look at all their data. */
async function dumpBesideSizing(
  context: EngineContext,
  connection: Connection,
  program: string,
  sink: ArtifactSink,
): Promise<{ readonly stderr: string; readonly bytes: number | undefined }> {
  // A dump of hours is not given up for it; it is asked again at the end, and that answer counts.
  const sizing = withClient(connection, dataBytes).catch(() => undefined);
  try {
    const stderr = await dump(context, connection, program, sink);
    return { stderr, bytes: await sizing };
  } finally {
    await sizing;
  }
}

async function lookAfter({ policy }: EngineContext, client: MongoClient, bytes: number | undefined) {
  const [atMs, collections, position, counted] = await Promise.all([
    serverNowMs(client),
    listCollections(client),
    wantsOplog(policy) ? committedPosition(client) : undefined,
    bytes ?? dataBytes(client),
  ]);
  return { atMs, collections, position, bytes: counted };
}

/** Only the oplog turns a dump of a living server into one instant; it must outlive the dump. */
async function requireWindow(
  context: EngineContext,
  request: CaptureRequest,
  client: MongoClient,
  facts: ServerFacts,
): Promise<void> {
  const { oplog } = facts;
  if (oplog === undefined) {
    const found = facts.replicaSet === undefined ? "the server is in no replica set" : "it cannot be read";
    throw new HoldfastError("tool-failed", `there is no oplog for a consistent dump: ${found}`, {
      hint: "make it a replica set of one member and grant the role backup, or set capture.options.oplog to false",
    });
  }
  const last = request.newest?.manifest;
  if (last === undefined) return;
  const tookMs = Date.parse(last.finishedAt) - Date.parse(last.startedAt);
  // What it holds now is the least its window can be: only an oplog that is not full has a longer one.
  if ((oplogWindowMs(facts) ?? 0) > 2 * tookMs) return;
  const windowMs = oplogWindowMs({ ...facts, oplog: { ...oplog, ...(await readOplogSize(client)) } });
  if (windowMs === undefined || windowMs > 2 * tookMs) return;
  const words = `the oplog reaches back ${Math.round(windowMs / 1000)} s, the last dump took ${Math.round(tookMs / 1000)} s`;
  if (windowMs > tookMs) {
    context.log.warn(words, { policy: context.policy.name });
    return;
  }
  throw new HoldfastError("wal-gap", `${words}: entries would be gone before the dump ends`, {
    hint: "make it longer: db.adminCommand({replSetResizeOplog: 1, size: MEGABYTES, minRetentionHours: 24})",
  });
}

async function coverFor(
  context: EngineContext,
  request: CaptureRequest,
  connection: Connection,
): Promise<SliceCover | undefined> {
  const { log } = request;
  if (log === undefined) return undefined;
  return waitForSlices(context, log, () =>
    withClient(connection, async (client) => {
      const position = await committedPosition(client);
      if (position !== undefined) return position;
      throw new HoldfastError("tool-failed", "the oplog is empty or not readable", {
        hint: "grant the role backup",
      });
    }),
  );
}

/** @returns what mongodump said */
async function dump(
  context: EngineContext,
  connection: Connection,
  program: string,
  sink: ArtifactSink,
): Promise<string> {
  const { options } = context.policy.capture;
  const parallel = options["parallelCollections"];
  const readPreference = options["readPreference"];
  const extra = {
    readPreference: typeof readPreference === "string" ? readPreference : "secondaryPreferred",
  };
  return withToolArguments(context, connection, extra, async (address) => {
    const argv: [string, ...string[]] = [
      program,
      ...address,
      "--archive",
      ...(wantsOplog(context.policy) ? ["--oplog"] : []),
      `--numParallelCollections=${typeof parallel === "number" ? parallel : 4}`,
    ];
    // Not --gzip: the sink compresses with the policy's codec, and the stored stream is the same.
    return (await sink.fromCommand(archiveArtifact, { argv })).stderr;
  });
}

/** Collections the tool says it has finished. */
export function parseDumped(stderr: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const match of stderr.matchAll(/done dumping [`"']?(.+?)[`"']? \(\d+ documents?\)/g))
    found.add(match[1] ?? "");
  return found;
}

/** A tool that left something out and still ended well has made no backup. @throws empty-backup, tool-failed */
export function requireWhole(
  connection: Connection,
  before: readonly SourceCollection[],
  after: readonly SourceCollection[],
  dumped: ReadonlySet<string>,
  stderr: string,
): void {
  const isCutOff = stderr.length >= wordsLimitBytes;
  const own = [...dumped].filter((name) => !name.startsWith("admin.") && !name.startsWith("config."));
  if (own.length === 0) {
    throw new HoldfastError(
      "empty-backup",
      `mongodump ended well and dumped no collection of ${placeOf(connection)}`,
      {
        hint: "does the user have the role backup? a new server gets its first collection with the first canary",
      },
    );
  }
  if (isCutOff) return;
  const later = new Set(after.map(fullName));
  // One that came or went during the dump may be in it or not.
  const missing = before
    .filter((c) => !c.isView && later.has(fullName(c)) && !dumped.has(fullName(c)))
    .filter((c) => c.database !== canaryDatabase)
    .map(fullName);
  if (missing.length === 0) return;
  const shown = missing.slice(0, 5).join(", ");
  throw new HoldfastError(
    "tool-failed",
    `mongodump ended well but left out ${missing.length} collections: ${shown}`,
    {
      hint: "the user needs the role backup on every database",
    },
  );
}

function fullName({ database, collection }: SourceCollection): string {
  return `${database}.${collection}`;
}
