/** One point: the server's own BACKUP or clickhouse-backup's, the sums to compare a restore with, and the assets. */
import { randomBytes } from "node:crypto";
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { instant } from "../../catalogue/instant.ts";
import type { Artifact, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { storeAssets } from "./assets.ts";
import { askText, type Connection, connectionOf } from "./connection.ts";
import { brokenParts, isOld, oldestVersion, readFacts } from "./facts.ts";
import { type PartSums, type ReadOptions, type Recorded, recordSums, sumsBefore } from "./hashes.ts";
import { type BackupMetadata, metadataFile, missingFiles, parseMetadata, partsIn } from "./metadata.ts";
import { endOrphans, operate } from "./operation.ts";
import { baseSettings, locationOf, placeSql } from "./sql.ts";
import { elementsSql, type Selection, type Table, wantedTables } from "./tables.ts";
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
  const server = await readFacts(connection, signal);
  if (isOld(server.version)) {
    throw new HoldfastError(
      "tool-version",
      `ClickHouse ${server.version} is older than ${oldestVersion.join(".")}, the oldest whose BACKUP is used`,
    );
  }
  const selection = await wantedTables(connection, policy, signal);
  const reading: ReadOptions = { signal, timeoutMs: readTimeoutMs };
  context.step(`reading ${selection.tables.length} tables of ClickHouse ${server.version} for their hashes`);
  const before = new Map<Table, PartSums | undefined>();
  for (const table of selection.tables) before.set(table, await sumsBefore(connection, table, reading));
  // Every row that is there now is in the backup; later ones may be.
  const now = await askText(connection, "SELECT toString(toUnixTimestamp64Milli(now64(3)))", { signal });
  const run = { context, connection, selection, sink };
  const taken =
    policy.capture.method === toolName ? await takeWithTool(run, request) : await takeNative(run, request);
  context.step("hashing what was written meanwhile");
  const tables: Record<string, Recorded> = {};
  for (const table of selection.tables) {
    const name = `${table.database}.${table.name}`;
    const inBackup = taken.parts === undefined ? undefined : (taken.parts.get(name) ?? new Set<string>());
    tables[name] = await recordSums(connection, table, inBackup, before.get(table), reading);
  }
  const assets = await storeAssets(context, connection, sink);
  const broken = await brokenParts(connection, signal);
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
    consistentAt: instant(Number(now)),
  };
}

interface Run {
  readonly context: EngineContext;
  readonly connection: Connection;
  readonly selection: Selection;
  readonly sink: ArtifactSink;
}

interface Taken {
  readonly parents: Manifest["parents"];
  readonly filesCount: number;
  readonly plainBytes: number;
  readonly tools: Manifest["tools"];
  readonly engine: Manifest["engine"];
  /** Undefined where only the tool knows. */
  readonly parts: ReturnType<typeof partsIn> | undefined;
}

async function takeNative(
  { context, connection, selection, sink }: Run,
  request: CaptureRequest,
): Promise<Taken> {
  const ids = `holdfast-${context.policy.name}-`;
  await endOrphans(context, connection, ids);
  const parent = request.capture === "incremental" ? nativeParent(request) : undefined;
  const place = await sink.place(backupArtifact);
  const base = parent === undefined ? undefined : await parent.source.place(parent.artifact);
  context.step(parent === undefined ? "BACKUP, full" : `BACKUP on top of ${parent.manifest.id}`);
  await operate(
    context,
    connection,
    `${ids}${request.id}-${randomBytes(4).toString("hex")}`,
    `BACKUP ${elementsSql(selection)} TO ${placeSql(place)}`,
    base === undefined ? [] : baseSettings(base),
  );
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
    parts: partsIn(metadata),
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
  { context, connection, selection, sink }: Run,
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
