/** Level 3: the whole archive read with every checksum in it, without the vendor's tool and without a disk. */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "../../catalogue/artifact.ts";
import type { Artifact, Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import type { ArchiveFacts } from "./archive.ts";
import { archiveArtifact } from "./capture.ts";
import { slicesOf } from "./oplog.ts";
import type { ArchiveReport } from "./read-archive.ts";
import { fetchSlice } from "./slice-cover.ts";

const program = join(import.meta.dirname, "read-archive.ts");

export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "there is no point to look at");
  const { manifest, source } = member;
  context.step(`reading the archive of ${manifest.id} with its checksums`);
  const facts = await readInChild(context, async (command) => {
    await source.intoCommand(archiveOf(manifest), command);
  });
  return [archiveCheck(facts, manifest), ...(await checkSlice(context, request, manifest))];
}

/** The dump of a point. @throws manifest-invalid */
export function archiveOf(manifest: Manifest): Artifact {
  const found = manifest.artifacts.find((a) => a.name === archiveArtifact);
  if (found !== undefined) return found;
  throw new HoldfastError("manifest-invalid", `point ${manifest.id} names no '${archiveArtifact}'`);
}

/** Reads an archive on disk. @throws data-damaged */
export async function readArchiveFile(context: EngineContext, path: string): Promise<ArchiveFacts> {
  return readInChild(
    context,
    async (command) => {
      await context.exec.run(command, { signal: context.signal });
    },
    path,
  );
}

async function readInChild(
  context: EngineContext,
  run: (command: Command) => Promise<void>,
  ...file: readonly string[]
): Promise<ArchiveFacts> {
  const path = join(context.workDirectory, `archive-${randomUUID()}.json`);
  try {
    await run({ argv: [process.execPath, program, path, ...file] });
    const report = JSON.parse(await readFile(path, "utf8")) as ArchiveReport;
    if ("damage" in report) throw new HoldfastError("data-damaged", report.damage);
    return report.facts;
  } finally {
    await rm(path, { force: true });
  }
}

/** An archive that is whole but holds nothing is not good. */
export function archiveCheck(facts: ArchiveFacts, manifest: Manifest): Check {
  const documents = facts.collections.reduce((sum, c) => sum + c.documents, 0);
  const wantsOplog = manifest.engine["oplog"] === true;
  const counted = `${facts.collections.length} collections with ${documents} documents, every checksum equal`;
  const oplog = facts.oplog === undefined ? "no oplog" : `${facts.oplog.entries} oplog entries of its own`;
  const isWhole = facts.collections.length > 0 && (!wantsOplog || facts.oplog !== undefined);
  const users = facts.collections.find((c) => c.database === "admin" && c.collection === "system.users");
  const who = users === undefined ? "" : `, ${users.documents} users`;
  return { name: "archive", ok: isWhole, detail: `${counted}, ${oplog}${who}` };
}

async function checkSlice(
  context: EngineContext,
  request: RestoreRequest,
  manifest: Manifest,
): Promise<readonly Check[]> {
  const need = manifest.log;
  if (need === undefined || request.log === undefined) return [];
  const slice = slicesOf(request.log.archive, need.branch).find((s) => s.sequence === need.firstSequence);
  const entries = slice === undefined ? undefined : await fetchSlice(context, request.log.store, slice);
  const name = "oplog slice of the point";
  if (slice === undefined || entries === undefined)
    return [{ name, ok: false, detail: `slice ${need.firstSequence} of run ${need.branch} is missing` }];
  return [{ name, ok: true, detail: `${slice.name} holds ${entries.length} entries in order` }];
}
