/** One point: the server's own BACKUP or clickhouse-backup's, what to compare a restore with, and the assets. */
import { randomBytes } from "node:crypto";
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { instant } from "../../catalogue/instant.ts";
import type { Artifact, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { together } from "../../together.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { storeAssets } from "./assets.ts";
import { askText, type Connection, connectionOf } from "./connection.ts";
import { brokenParts, isOld, oldestVersion, readFacts } from "./facts.ts";
import { type NotCompared, sumsBefore, sumsUnchanged, type TableSum } from "./hashes.ts";
import { type BackupMetadata, metadataFile, missingFiles, parseMetadata, partsIn } from "./metadata.ts";
import { endOrphans, operate } from "./operation.ts";
import { type PartFacts, partFacts, partsInBackup, type TableParts } from "./part-facts.ts";
import { baseSettings, locationOf, placeSql } from "./sql.ts";
import { elementsSql, hasParts, type Selection, type Table, wantedTables } from "./tables.ts";
import { backupName, runTool, toolName, toolOf, toolVersion } from "./tool.ts";

export const backupArtifact = "backup";
const serverMemoryBytes = 512 * 1024 * 1024;
const readTimeoutMs = 24 * 3_600_000;

/** @throws as the contract says */
export async function capture(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const { signal, policy } = context;
  const connection = await connectionOf(context);
  const asked = Promise.all([
    wantedTables(connection, policy, signal),
    partFacts(connection, signal),
    endOrphans(context, connection, operationIds(context)),
  ]);
  // An old server may not know what was asked, and has to be called old.
  asked.catch(() => undefined);
  const server = await readFacts(connection, signal);
  if (isOld(server.version)) {
    throw new HoldfastError(
      "tool-version",
      `ClickHouse ${server.version} is older than ${oldestVersion.join(".")}, the oldest whose BACKUP is used`,
    );
  }
  const [selection, partsBefore] = await asked;
  const before = await sumsOfRead(context, connection, selection);
  const begun = Promise.withResolvers<void>();
  const run = { connection, selection, sink, onBegun: () => begun.resolve() };
  const [taken, assets, broken] = await together<
    [Taken, Readonly<Record<string, string>>, readonly string[]]
  >(signal, [
    (both) => take({ ...run, context: { ...context, signal: both } }, request).finally(run.onBegun),
    // Beside the work and not before it.
    (both) => begun.promise.then(() => storeAssets({ ...context, signal: both }, connection, sink)),
    (both) => begun.promise.then(() => brokenParts(connection, both)),
  ]);
  const tables: Record<string, TableSum | TableParts | NotCompared> = {};
  for (const table of selection.tables) {
    const name = `${table.database}.${table.name}`;
    tables[name] =
      taken.parts !== undefined && hasParts(table)
        ? partsInBackup(name, taken.parts.inBackup.get(name) ?? new Set(), [partsBefore, taken.parts.after])
        : await sumsUnchanged(connection, table, before.sums.get(table), {
            signal,
            timeoutMs: readTimeoutMs,
          });
  }
  return {
    capture: taken.parents.length === 0 ? "full" : "incremental",
    parents: taken.parents,
    filesCount: taken.filesCount,
    tools: taken.tools,
    server: { version: server.version, identity: server.identity },
    restoreNeeds: {
      diskBytes: Math.ceil(taken.plainBytes * 1.2) + 64 * 1024 * 1024,
      memoryBytes: serverMemoryBytes,
    },
    engine: {
      ...taken.engine,
      databases: selection.databases,
      ...(selection.isPartial ? { selected: Object.keys(tables) } : {}),
      engines: Object.fromEntries(selection.tables.map((t) => [`${t.database}.${t.name}`, t.engine])),
      tables,
      assets,
      ...(broken.length === 0 ? {} : { brokenParts: broken }),
    },
    consistentAt: instant(before.atMs),
  };
}

/** The ids of the policy's own operations at the server begin so. */
function operationIds({ policy }: EngineContext): string {
  return `holdfast-${policy.name}-`;
}

interface Before {
  /** Every row that was there then is in the backup; later ones may be. */
  readonly atMs: number;
  readonly sums: ReadonlyMap<Table, TableSum | undefined>;
}

/** Of tables with parts the server knows what it needs; others are read, and all where a tool hides its parts from us. */
async function sumsOfRead(
  { policy, signal, step }: EngineContext,
  connection: Connection,
  { tables }: Selection,
): Promise<Before> {
  const read = policy.capture.method === toolName ? tables : tables.filter((t) => !hasParts(t));
  if (read.length > 0) step(`reading ${read.length} tables of ${tables.length} for their hashes`);
  const sums = new Map<Table, TableSum | undefined>();
  for (const table of read)
    sums.set(table, await sumsBefore(connection, table, { signal, timeoutMs: readTimeoutMs }));
  const now = await askText(connection, "SELECT toString(toUnixTimestamp64Milli(now64(3)))", { signal });
  return { atMs: Number(now), sums };
}

interface Run {
  readonly context: EngineContext;
  readonly connection: Connection;
  readonly selection: Selection;
  readonly sink: ArtifactSink;
  /** When the backup is under way. */
  readonly onBegun: () => void;
}

function take(run: Run, request: CaptureRequest): Promise<Taken> {
  return run.context.policy.capture.method === toolName
    ? takeWithTool(run, request)
    : takeNative(run, request);
}

interface Taken {
  readonly parents: Manifest["parents"];
  readonly filesCount: number;
  readonly plainBytes: number;
  readonly tools: Manifest["tools"];
  readonly engine: Manifest["engine"];
  /** Undefined where only the tool knows. */
  readonly parts: { readonly inBackup: ReturnType<typeof partsIn>; readonly after: PartFacts } | undefined;
}

async function takeNative(
  { context, connection, selection, sink, onBegun }: Run,
  request: CaptureRequest,
): Promise<Taken> {
  const parent = request.capture === "incremental" ? nativeParent(request) : undefined;
  const place = await sink.place(backupArtifact);
  const base = parent === undefined ? undefined : await parent.source.place(parent.artifact);
  context.step(parent === undefined ? "BACKUP, full" : `BACKUP on top of ${parent.manifest.id}`);
  const ended = new AbortController();
  const reading = sink.readAhead(backupArtifact, AbortSignal.any([context.signal, ended.signal]));
  try {
    const id = `${operationIds(context)}${request.id}-${randomBytes(4).toString("hex")}`;
    const statement = `BACKUP ${elementsSql(selection)} TO ${placeSql(place)}`;
    const settings = base === undefined ? [] : baseSettings(base);
    await operate(context, connection, id, statement, settings, onBegun);
  } finally {
    ended.abort();
    await reading;
  }
  // At once: parts that were merged while the backup held them may go now.
  const after = await partFacts(connection, context.signal);
  const { artifact } = await sink.fromPlace(backupArtifact);
  const bytes = await sink.carriedBytes(backupArtifact, metadataFile);
  const metadata = parseMetadata(Buffer.from(bytes).toString("utf8"));
  requireWhole(metadata, artifact, parent?.manifest);
  return {
    parents: parent === undefined ? [] : [parent.manifest.id, ...parent.manifest.parents],
    filesCount: metadata.files.length,
    plainBytes: metadata.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    tools: {},
    engine: {
      location: locationOf(place),
      uuid: metadata.uuid,
      ...(metadata.baseUuid === undefined ? {} : { baseUuid: metadata.baseUuid }),
    },
    parts: { inBackup: partsIn(metadata), after },
  };
}

/** The nearest point, where it is of the same method; a chain never goes over from one to the other. */
function nativeParent({ parents: [nearest] }: CaptureRequest) {
  const artifact = nearest?.manifest.artifacts.find((a) => a.name === backupArtifact);
  if (nearest === undefined || artifact === undefined || nearest.manifest.method !== "native")
    return undefined;
  return { ...nearest, artifact };
}

/** Success is what lies in the store, not what the server says. */
function requireWhole(metadata: BackupMetadata, artifact: Artifact, parent: Manifest | undefined): void {
  const wrong = missingFiles(metadata, artifact);
  if (wrong.length > 0)
    throw new HoldfastError(
      "data-damaged",
      `ClickHouse called the backup created, and ${wrong.length} of its files are wrong: ${wrong.slice(0, 3).join("; ")}`,
    );
  const wanted = parent?.engine["uuid"];
  if (metadata.baseUuid !== wanted)
    throw new HoldfastError(
      "data-damaged",
      `the backup says it builds on '${metadata.baseUuid ?? "nothing"}' and not on '${String(wanted ?? "nothing")}'`,
    );
}

async function takeWithTool(
  { context, connection, selection, sink, onBegun }: Run,
  request: CaptureRequest,
): Promise<Taken> {
  const program = await toolOf(context);
  const version = await toolVersion(context, program);
  const place = await sink.place(backupArtifact);
  const name = backupName(request.id);
  const tables = selection.isPartial
    ? ["--tables", selection.tables.map((t) => `${t.database}.${t.name}`).join(",")]
    : [];
  if (request.capture === "incremental")
    context.log.info("clickhouse-backup takes a full backup for every point", {
      policy: context.policy.name,
    });
  context.step(`clickhouse-backup create_remote, version ${version}`);
  onBegun();
  await runTool(context, connection, place, ["create_remote", ...tables, name]);
  const { artifact } = await sink.fromPlace(backupArtifact);
  return {
    parents: [],
    filesCount: artifact.objects.length,
    plainBytes: Math.max(
      artifact.plainSizeBytes,
      selection.tables.reduce((sum, t) => sum + t.totalBytes, 0),
    ),
    tools: { [toolName]: version },
    engine: { location: locationOf(place), name },
    parts: undefined,
  };
}
