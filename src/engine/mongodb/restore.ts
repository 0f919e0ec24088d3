/**
 * Restores into a folder: the archive as mongodump wrote it, and beside it the oplog from its end to the target.
 * Both are what mongorestore takes; no server is started here.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import { shellWord } from "../../shell-word.ts";
import type { EngineContext, RecoveryTarget, Restored, RestoreRequest } from "../engine.ts";
import { requireEmpty } from "../target-folder.ts";
import type { ArchiveFacts } from "./archive.ts";
import { archiveArtifact } from "./capture.ts";
import { archiveCheck, archiveOf, readArchiveFile } from "./inspect.ts";
import { parsePosition, positionWords } from "./oplog.ts";
import { type Replay, writeReplay } from "./replay.ts";

/** What the archive holds, for whoever starts a server on it. */
export const contentsFile = "contents.json";
/** Nobody has this port by accident; a person may choose another. */
const usualPort = 27018;

/** @throws as the contract says */
export async function restore(context: EngineContext, given: RestoreRequest): Promise<Restored> {
  const directory = resolve(given.directory);
  const request = { ...given, directory };
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  const { manifest, source } = member;
  await requireEmpty(directory);
  requireReachable(request.target, manifest);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const archive = join(directory, archiveArtifact);
  context.step(`decoding the dump of ${manifest.id}`);
  await source.intoFile(archiveOf(manifest), archive);
  const facts = await readArchiveFile(context, archive);
  await writeFile(join(directory, contentsFile), JSON.stringify(facts), { mode: 0o600 });
  const replay = await writeReplay(context, request, endOfDump(manifest, facts));
  const { size } = await stat(archive);
  return {
    directory,
    restoredBytes: size,
    startCommand: startCommand(directory, facts, replay),
    checks: [archiveCheck(facts, manifest), ...replayChecks(request, replay)],
  };
}

/** The last entry the archive brings itself; without one the position before the dump. @throws manifest-invalid */
function endOfDump(
  manifest: Manifest,
  facts: ArchiveFacts,
): { readonly seconds: number; readonly ordinal: number } {
  const start = manifest.engine["startPosition"];
  const end = parsePosition(facts.oplog?.lastAt ?? (typeof start === "string" ? start : ""));
  if (end !== undefined) return end;
  if (manifest.log === undefined) return { seconds: 0, ordinal: 0 };
  throw new HoldfastError("manifest-invalid", `point ${manifest.id} does not say where its dump began`);
}

function replayChecks(request: RestoreRequest, replay: Replay): readonly Check[] {
  if (replay.slices === 0) return [];
  const reached = replay.reachedAt === undefined ? "" : ` up to ${positionWords(replay.reachedAt)}`;
  const detail = `${replay.entries} entries from ${replay.slices} slices${reached}`;
  if (replay.missing === undefined) return [{ name: "oplog", ok: true, detail }];
  const wanted = request.target.kind;
  return [
    {
      name: "oplog",
      ok: false,
      detail: `${detail}; slice ${replay.missing} is missing, so ${wanted} ends before it`,
    },
  ];
}

function requireReachable(target: RecoveryTarget, manifest: Manifest): void {
  if (target.kind === "lsn" || target.kind === "name") {
    throw new HoldfastError("target-unreachable", "MongoDB is restored to an instant or to a point", {
      hint: "use --at TIME",
    });
  }
  if (target.kind !== "time") return;
  const atMs = Date.parse(target.at);
  const consistentMs = Date.parse(manifest.consistentAt);
  if (atMs < consistentMs) {
    throw new HoldfastError(
      "target-unreachable",
      `point ${manifest.id} is consistent from ${manifest.consistentAt} on, after ${target.at}`,
      { hint: "leave --point out and Holdfast takes an older one" },
    );
  }
  if (manifest.log === undefined && atMs > consistentMs) {
    throw new HoldfastError(
      "target-unreachable",
      `point ${manifest.id} keeps no oplog behind its dump; only its own state can be restored`,
      { hint: `use --point ${manifest.id} without another target` },
    );
  }
}

function startCommand(directory: string, facts: ArchiveFacts, replay: Replay): string {
  const folder = shellWord(directory);
  const uri = `mongodb://127.0.0.1:${usualPort}/?directConnection=true`;
  return [
    `mkdir -p ${folder}/data`,
    `mongod --dbpath ${folder}/data --bind_ip 127.0.0.1 --port ${usualPort} --fork --logpath ${folder}/server.log`,
    ["mongorestore", `--uri='${uri}'`, ...archiveArguments(facts, `${folder}/${archiveArtifact}`)].join(" "),
    ...(replay.entries > 0 ? [`mongorestore --uri='${uri}' --oplogReplay --dir=${folder}/oplog`] : []),
  ].join(" && ");
}

/** How mongorestore is told to load a dump; without entries of its own it would refuse to replay them. */
export function archiveArguments(facts: Pick<ArchiveFacts, "oplog">, path: string): readonly string[] {
  return [`--archive=${path}`, ...((facts.oplog?.entries ?? 0) > 0 ? ["--oplogReplay"] : [])];
}
