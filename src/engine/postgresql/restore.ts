/**
 * Restores: unpack, judge, fetch the WAL, and leave a folder that starts by itself. Settings that would let
 * a restored server reach the outside world (archiving, replication, jobs) are turned off in a file of ours.
 * @see PostgreSQL manual, "Continuous Archiving and Point-in-Time Recovery"
 */
import { copyFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, RecoveryTarget, Restored, RestoreRequest } from "../engine.ts";
import { requireEmpty } from "../target-folder.ts";
import { fetchWal } from "./fetch-wal.ts";
import { giveToServer, isThere } from "./folders.ts";
import { programsOf, serverUser } from "./programs.ts";
import { majorOf, unpack } from "./unpack.ts";

/** @throws as the contract says */
export async function restore(context: EngineContext, given: RestoreRequest): Promise<Restored> {
  const directory = resolve(given.directory);
  const request = { ...given, directory };
  const manifest = request.chain[0]?.manifest;
  if (manifest === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  await requireEmpty(directory);
  requireReachable(request.target, manifest);
  const { dataDirectory, checks } = await unpack(context, request);
  requireCombined(await isThere(dataDirectory), checks, manifest);
  const wal = join(directory, "wal");
  const fetched = await fetchWal(context, request, wal);
  await writeRecoverySettings(context, dataDirectory, wal, request.target, manifest);
  const program = await programsOf(context, majorOf(manifest)).path("pg_ctl");
  const start = `${program} -D ${shellWord(dataDirectory)} -o '-k ${dataDirectory}' -w start`;
  return {
    directory,
    restoredBytes: await sizeOf(context, dataDirectory),
    startCommand: serverUser === undefined ? start : `runuser -u ${serverUser} -- ${start}`,
    checks: [
      ...checks,
      ...(fetched.segmentsCount === 0
        ? []
        : [{ name: "WAL", ok: true, detail: `${fetched.segmentsCount} segments fetched` }]),
    ],
  };
}

function requireReachable(target: RecoveryTarget, manifest: Manifest): void {
  if (manifest.log === undefined && target.kind !== "point" && target.kind !== "latest") {
    throw new HoldfastError(
      "target-unreachable",
      `point ${manifest.id} has no WAL; only its own state can be restored`,
      {
        hint: `use --point ${manifest.id} without another target`,
      },
    );
  }
  if (target.kind === "time" && Date.parse(target.at) < Date.parse(manifest.consistentAt)) {
    throw new HoldfastError(
      "target-unreachable",
      `point ${manifest.id} is consistent from ${manifest.consistentAt} on, after ${target.at}`,
      {
        hint: "leave --point out and Holdfast takes an older one",
      },
    );
  }
}

/** A chain with a damaged member is not combined, and then there is nothing to go on with. */
function requireCombined(isCombined: boolean, checks: readonly Check[], manifest: Manifest): void {
  const failed = checks.find((c) => !c.ok);
  if (isCombined || failed === undefined) return;
  throw new HoldfastError(
    "data-damaged",
    `point ${manifest.id} cannot be put together: ${failed.name}: ${failed.detail}`,
  );
}

async function sizeOf(context: EngineContext, path: string): Promise<number> {
  const { stdout } = await context.exec.run(
    { argv: ["du", "--summarize", "--bytes", path] },
    { accept: [0, 1] },
  );
  return Number.parseInt(stdout, 10) || 0;
}

/** A value for postgresql.conf. */
function quoteSetting(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** For `restore_command`: the server gives it to a shell, and % has a meaning of its own in it. */
function restoreCommand(wal: string): string {
  const folder = wal
    .replaceAll("%", "%%")
    .replaceAll('"', '\\"')
    .replaceAll("$", "\\$")
    .replaceAll("`", "\\`");
  return `cp "${folder}/%f" "%p"`;
}

/** The server's own way of writing an instant: no T, and an offset in place of Z. */
function serverTime(at: string): string {
  return `${at.replace("T", " ").replace(/Z$/, "")}+00`;
}

function targetSettings(target: RecoveryTarget): readonly (readonly [string, string])[] {
  const action = ["recovery_target_action", "promote"] as const;
  switch (target.kind) {
    case "latest":
      return [["recovery_target_timeline", "latest"]];
    case "point":
      return [["recovery_target", "immediate"], ["recovery_target_timeline", "current"], action];
    case "time":
      // Exclusive: the commit at this very instant, the one that dropped the table, stays out.
      return [
        ["recovery_target_time", serverTime(target.at)],
        ["recovery_target_inclusive", "off"],
        ["recovery_target_timeline", "latest"],
        action,
      ];
    case "lsn":
      return [["recovery_target_lsn", target.lsn], ["recovery_target_timeline", "latest"], action];
    case "name":
      return [["recovery_target_name", target.name], ["recovery_target_timeline", "latest"], action];
  }
}

/** Nothing restored may archive over the original, follow it, publish to it or run its jobs. */
const quietSettings: readonly (readonly [string, string])[] = [
  ["archive_mode", "off"],
  ["archive_command", ""],
  ["primary_conninfo", ""],
  ["primary_slot_name", ""],
  ["synchronous_standby_names", ""],
  ["max_logical_replication_workers", "0"],
  ["cron.launch_active_jobs", "off"],
  ["listen_addresses", ""],
  ["ssl", "off"],
  ["external_pid_file", ""],
  ["logging_collector", "off"],
  ["hot_standby", "on"],
];

async function writeRecoverySettings(
  context: EngineContext,
  dataDirectory: string,
  wal: string,
  target: RecoveryTarget,
  manifest: Manifest,
): Promise<void> {
  const auto = join(dataDirectory, "postgresql.auto.conf");
  if (await isThere(auto)) await copyFile(auto, `${auto}.before-restore`);
  const recorded = (manifest.engine["settings"] ?? {}) as Readonly<Record<string, string>>;
  const needed = Object.entries(recorded).filter(([, value]) => value !== "");
  const recovery: readonly (readonly [string, string])[] =
    manifest.log === undefined ? [] : [["restore_command", restoreCommand(wal)], ...targetSettings(target)];
  const lines = [...quietSettings, ...needed, ...recovery].map(
    ([name, value]) => `${name} = ${quoteSetting(value)}`,
  );
  const head = [
    `# Written by holdfast restore of ${manifest.id}. The settings of the source are in postgresql.auto.conf.before-restore.`,
    "# Before this server takes over: remove this block, and set listen_addresses, ssl and archiving as you need them.",
  ];
  await writeFile(auto, `${[...head, ...lines].join("\n")}\n`, { mode: 0o600 });
  // Debian keeps these outside the data directory; without them the server does not start.
  const conf = join(dataDirectory, "postgresql.conf");
  const hba = join(dataDirectory, "pg_hba.conf");
  const ident = join(dataDirectory, "pg_ident.conf");
  const written = [auto];
  for (const [path, text] of [
    [conf, "# the source kept its configuration elsewhere\n"],
    [hba, "local all all peer\nlocal all all scram-sha-256\n"],
    [ident, ""],
  ] as const) {
    if (await isThere(path)) continue;
    await writeFile(path, text, { mode: 0o600 });
    written.push(path);
  }
  if (manifest.log !== undefined) {
    const signal = join(dataDirectory, "recovery.signal");
    await writeFile(signal, "");
    written.push(signal);
  }
  await rm(join(dataDirectory, "standby.signal"), { force: true });
  await giveToServer(context, ...written);
}
