/**
 * Base backups with pg_basebackup. One tar on standard output goes straight into the sink; clusters with
 * tablespaces, and policies whose captures build on one another, need several files and go through a spool
 * folder first, because pg_basebackup writes only a single tar to standard output.
 * @see PostgreSQL manual, pg_basebackup
 */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactSink, Command } from "../../catalogue/artifact.ts";
import { HoldfastError } from "../../errors.ts";
import type { CaptureRequest, CaptureResult, EngineContext } from "../engine.ts";
import { askText, type Connection, connectionOf, libpqEnvironment, withClient } from "./connection.ts";
import { countFiles, readFacts, type ServerFacts } from "./facts.ts";
import { countManifestFiles, parseBackupSpan, segmentsOf } from "./parse.ts";
import { programsOf, programVersion } from "./programs.ts";
import { logNames, segmentName, timelineName } from "./wal.ts";

export const manifestArtifact = "backup_manifest";
const logWaitMs = 120_000;
const applicationName = "holdfast base backup";

/** @throws as the contract says; wal-gap when the store does not get the backup's WAL in time */
export async function capture(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
): Promise<CaptureResult> {
  const connection = await connectionOf(context);
  const { facts, filesCount } = await withClient(connection, async (client) => {
    const server = await readFacts(client);
    if (context.policy.log?.mode === "stream") await requireSlot(context, connection, client);
    return { facts: server, filesCount: await countFiles(client) };
  });
  const program = await programsOf(context, facts.major).path("pg_basebackup");
  const parent = request.capture === "incremental" && facts.major >= 17 ? request.parents[0] : undefined;
  if (request.capture === "incremental" && facts.major < 17) {
    throw new HoldfastError(
      "tool-version",
      `incremental captures need PostgreSQL 17, the server is ${facts.version}`,
      {
        hint: "remove capture.fullCron, or upgrade the server",
      },
    );
  }
  const isSpooled =
    facts.tablespacesCount > 0 ||
    request.capture === "incremental" ||
    context.policy.capture.fullCron !== undefined;
  // Asked beside the capture; a program that cannot even say that fails there too.
  const version = programVersion(context, program);
  version.catch(() => undefined);
  context.step(`pg_basebackup of ${connection.host}:${connection.port}, PostgreSQL ${facts.version}`);
  const taken = isSpooled
    ? await captureSpooled(context, request, sink, { connection, program, parent })
    : await captureStreamed(context, request, sink, { connection, program });
  const span = parseBackupSpan(taken.stderr);
  const segments = segmentsOf(span, facts.segmentBytes);
  const branch = timelineName(span.timeline);
  // Read after the backup has ended, so that every instant from here on is consistent.
  const consistentAt = await withClient(connection, (client) =>
    askText(
      client,
      "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
    ),
  );
  if (request.log !== undefined) {
    await waitForLog(context, request, { branch, ...segments, segmentBytes: facts.segmentBytes });
  }
  return {
    capture: parent === undefined ? "full" : "incremental",
    parents: parent === undefined ? [] : [parent.manifest.id, ...parent.manifest.parents],
    filesCount: taken.filesCount ?? filesCount ?? 0,
    tools: { pg_basebackup: await version },
    server: { version: facts.version, identity: facts.systemIdentifier },
    restoreNeeds: {
      diskBytes: Math.ceil(facts.databaseBytes * 1.2) + 8 * facts.segmentBytes,
      memoryBytes: 256 * 1024 * 1024,
    },
    engine: engineFacts(facts, span, taken.isSpooled),
    consistentAt,
    ...(request.log === undefined
      ? {}
      : { log: { branch, firstSequence: segments.first, lastSequence: segments.last } }),
  };
}

function engineFacts(
  facts: ServerFacts,
  span: ReturnType<typeof parseBackupSpan>,
  isSpooled: boolean,
): Record<string, unknown> {
  return {
    startLsn: span.startLsn,
    stopLsn: span.stopLsn,
    timeline: span.timeline,
    segmentBytes: facts.segmentBytes,
    systemIdentifier: facts.systemIdentifier,
    major: facts.major,
    superuser: facts.superuser,
    dataChecksums: facts.dataChecksums,
    settings: facts.settings,
    layout: isSpooled ? "tars" : "one-tar",
  };
}

interface Taken {
  readonly stderr: string;
  readonly isSpooled: boolean;
  readonly filesCount?: number;
}

/**
 * Arguments shared by both ways. The WAL of the backup itself travels in the tar also where a receiver stores
 * it: the point then opens without the log archive, and only with WAL does pg_basebackup say where it ends.
 */
function argvOf(
  context: EngineContext,
  program: string,
  request: CaptureRequest,
  target: string,
): [string, ...string[]] {
  const options = context.policy.capture.options;
  return [
    program,
    "--pgdata",
    target,
    "--format=tar",
    "--wal-method=fetch",
    `--checkpoint=${options["checkpoint"] === "spread" ? "spread" : "fast"}`,
    "--manifest-checksums=SHA256",
    `--label=holdfast ${request.id}`,
    "--no-password",
    "--verbose",
    ...(typeof options["maxRate"] === "string" ? [`--max-rate=${options["maxRate"]}`] : []),
  ];
}

async function captureStreamed(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
  given: { readonly connection: Connection; readonly program: string },
): Promise<Taken> {
  const command: Command = {
    argv: argvOf(context, given.program, request, "-"),
    env: libpqEnvironment(given.connection, applicationName),
  };
  const { stderr } = await sink.fromCommand("base.tar", command);
  return { stderr, isSpooled: false };
}

async function captureSpooled(
  context: EngineContext,
  request: CaptureRequest,
  sink: ArtifactSink,
  given: {
    readonly connection: Connection;
    readonly program: string;
    readonly parent: CaptureRequest["parents"][number] | undefined;
  },
): Promise<Taken> {
  const spool = join(context.workDirectory, "base");
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const argv = argvOf(context, given.program, request, spool);
  if (given.parent !== undefined) {
    const artifact = given.parent.manifest.artifacts.find((a) => a.name === manifestArtifact);
    if (artifact === undefined) {
      throw new HoldfastError(
        "manifest-invalid",
        `point ${given.parent.manifest.id} keeps no backup manifest to build on`,
        {
          hint: "holdfast backup --full begins a new chain",
        },
      );
    }
    const path = join(context.workDirectory, "parent_manifest");
    await given.parent.source.intoFile(artifact, path);
    argv.push(`--incremental=${path}`);
  }
  const { stderr } = await context.exec.run(
    { argv, env: libpqEnvironment(given.connection, applicationName) },
    { signal: context.signal, deadlineMs: context.policy.deadlineMs },
  );
  const names = (await readdir(spool)).sort();
  for (const name of names) await sink.fromFile(name, join(spool, name));
  const filesCount = countManifestFiles(await readFile(join(spool, manifestArtifact), "utf8"));
  return { stderr, isSpooled: true, filesCount };
}

/** A receiver that was started in the same moment needs a little time to make its slot. */
const slotWaitMs = 30_000;

/** Without the slot the WAL of this backup may be gone before anybody has stored it. */
async function requireSlot(
  context: EngineContext,
  connection: Connection,
  client: Parameters<typeof askText>[0],
): Promise<void> {
  const slot = context.policy.log?.slot ?? "";
  const giveUpAtMs = context.clock.nowMs() + slotWaitMs;
  for (;;) {
    const { rows } = await client.query<{ wal_status: string | null }>(
      "select wal_status from pg_replication_slots where slot_name = $1",
      [slot],
    );
    if (rows[0] !== undefined && rows[0].wal_status !== "lost") return;
    if (rows[0] !== undefined || context.clock.nowMs() > giveUpAtMs) {
      const state = rows[0] === undefined ? "is not there" : "has lost WAL";
      throw new HoldfastError(
        "wal-gap",
        `the replication slot '${slot}' at ${connection.host}:${connection.port} ${state}; a base backup without its WAL cannot be restored`,
        { hint: `start the receiver first: holdfast wal ${context.policy.name}` },
      );
    }
    await context.clock.wait(500, context.signal);
  }
}

interface Wanted {
  readonly branch: string;
  readonly first: number;
  readonly last: number;
  readonly segmentBytes: number;
}

/** The manifest may be written only when the store has the WAL that makes the backup consistent. */
async function waitForLog(context: EngineContext, request: CaptureRequest, wanted: Wanted): Promise<void> {
  const giveUpAtMs = context.clock.nowMs() + logWaitMs;
  for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 1.5, 3000)) {
    // The catalogue learns the segment size only from the first manifest, so it is said here.
    const archive = await request.log?.archive(logNames(wanted.segmentBytes));
    const stored = new Set(archive?.segments.filter((s) => !s.partial).map((s) => s.name));
    let missing = wanted.first;
    while (missing <= wanted.last && stored.has(segmentName(wanted.branch, missing, wanted.segmentBytes)))
      missing += 1;
    if (missing > wanted.last) return;
    const name = segmentName(wanted.branch, missing, wanted.segmentBytes);
    if (context.clock.nowMs() > giveUpAtMs) {
      throw new HoldfastError(
        "wal-gap",
        `the store still lacks WAL segment ${name}, without which this base backup cannot be restored`,
        {
          hint: `is the receiver running? holdfast wal ${context.policy.name}`,
        },
      );
    }
    if (pauseMs < 300) context.step(`waiting until the store has the WAL through ${name}`);
    await context.clock.wait(pauseMs, context.signal);
  }
}
