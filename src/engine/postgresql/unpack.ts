/** From stored artifacts to a data directory that pg_verifybackup has judged. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactSource, Command } from "../../catalogue/artifact.ts";
import type { Check, Manifest } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { manifestArtifact } from "./capture.ts";
import { giveToServer, isThere, makeServerFolder } from "./folders.ts";
import { programsOf, serverUser } from "./programs.ts";

export interface Unpacked {
  readonly dataDirectory: string;
  readonly checks: readonly Check[];
}

/** Server's major version as recorded in the manifest. */
export function majorOf(manifest: Manifest): number {
  return Number(manifest.engine["major"] ?? 0);
}

function asServer(command: Command): Command {
  return serverUser === undefined ? command : { ...command, user: serverUser };
}

/**
 * After it `<directory>/data` is the cluster of the chain's first point, and the checks say what
 * pg_verifybackup found. An incremental chain is combined; what was combined is removed.
 */
export async function unpack(context: EngineContext, request: RestoreRequest): Promise<Unpacked> {
  const { directory, chain } = request;
  const newest = chain[0];
  if (newest === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const dataDirectory = join(directory, "data");
  if (newest.manifest.capture === "full") {
    const checks = await unpackOne(context, newest, dataDirectory, join(directory, "tablespaces"));
    return { dataDirectory, checks };
  }
  return combine(context, request, dataDirectory);
}

async function unpackOne(
  context: EngineContext,
  { manifest, source }: RestoreRequest["chain"][number],
  dataDirectory: string,
  tablespaces: string,
): Promise<readonly Check[]> {
  await makeServerFolder(context, dataDirectory);
  const links = new Map<string, string>();
  for (const artifact of manifest.artifacts) {
    context.step(`unpacking ${artifact.name} of ${manifest.id}`);
    if (artifact.name === manifestArtifact) {
      await source.intoFile(artifact, join(dataDirectory, manifestArtifact));
      await giveToServer(context, join(dataDirectory, manifestArtifact));
      continue;
    }
    const oid = /^(\d+)\.tar$/.exec(artifact.name)?.[1];
    const target = oid === undefined ? dataDirectory : join(tablespaces, oid);
    if (oid !== undefined) {
      await makeServerFolder(context, tablespaces);
      await makeServerFolder(context, target);
      links.set(oid, target);
    }
    await untar(source, artifact, target);
  }
  await linkTablespaces(context, dataDirectory, links);
  const check = await verifyBackup(context, manifest, dataDirectory);
  await rewriteTablespaceMap(dataDirectory, links);
  return [check];
}

async function untar(
  source: ArtifactSource,
  artifact: Manifest["artifacts"][number],
  target: string,
): Promise<void> {
  await source.intoCommand(
    artifact,
    asServer({ argv: ["tar", "--extract", "--file=-", `--directory=${target}`], cwd: "/" }),
  );
}

async function linkTablespaces(
  context: EngineContext,
  dataDirectory: string,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [oid, target] of links) {
    const link = join(dataDirectory, "pg_tblspc", oid);
    await rm(link, { force: true });
    await context.exec.run(asServer({ argv: ["ln", "-s", target, link], cwd: "/" }), { deadlineMs: 5000 });
  }
}

/** The server would make the links of this file again, to where the tablespaces were on the source. */
async function rewriteTablespaceMap(
  dataDirectory: string,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  const path = join(dataDirectory, "tablespace_map");
  if (links.size === 0 || !(await isThere(path))) return;
  const text = [...links].map(([oid, target]) => `${oid} ${target.replace(/\n/g, "\\\n")}\n`).join("");
  await writeFile(path, text);
}

/** Every file against the manifest's SHA-256; WAL comes later and is not judged here. */
async function verifyBackup(
  context: EngineContext,
  manifest: Manifest,
  dataDirectory: string,
): Promise<Check> {
  const program = await programsOf(context, majorOf(manifest)).path("pg_verifybackup");
  const { exitStatus, stdout, stderr } = await context.exec.run(
    asServer({ argv: [program, "--no-parse-wal", dataDirectory], cwd: "/" }),
    { signal: context.signal, accept: [0, 1] },
  );
  const name = `pg_verifybackup of ${manifest.id}`;
  if (exitStatus === 0) return { name, ok: true, detail: stdout.trim().split("\n").at(-1) ?? "verified" };
  return { name, ok: false, detail: stderr.trim().split("\n").slice(0, 5).join("; ") };
}

async function combine(
  context: EngineContext,
  request: RestoreRequest,
  dataDirectory: string,
): Promise<Unpacked> {
  const parts = join(request.directory, "parts");
  await makeServerFolder(context, parts);
  const checks: Check[] = [];
  const folders: string[] = [];
  const mappings: string[] = [];
  // pg_combinebackup wants the full one first; the request has the newest first.
  for (const member of [...request.chain].reverse()) {
    const folder = join(parts, member.manifest.id);
    const tablespaces = join(parts, `${member.manifest.id}-tablespaces`);
    checks.push(...(await unpackOne(context, member, folder, tablespaces)));
    folders.push(folder);
    if (member === request.chain[0] && (await isThere(tablespaces))) {
      for (const oid of await readdir(tablespaces)) {
        const target = join(request.directory, "tablespaces", oid);
        await makeServerFolder(context, join(request.directory, "tablespaces"));
        mappings.push(`--tablespace-mapping=${join(tablespaces, oid)}=${target}`);
      }
    }
  }
  if (checks.every((c) => c.ok)) {
    const newest = request.chain[0]?.manifest;
    const program = await programsOf(context, newest === undefined ? undefined : majorOf(newest)).path(
      "pg_combinebackup",
    );
    await makeServerFolder(context, dataDirectory);
    context.step(`combining ${folders.length} captures`);
    await context.exec.run(
      asServer({ argv: [program, ...mappings, `--output=${dataDirectory}`, ...folders], cwd: "/" }),
      { signal: context.signal },
    );
    checks.push({ name: "pg_combinebackup", ok: true, detail: `${folders.length} captures combined` });
  }
  await rm(parts, { recursive: true, force: true });
  return { dataDirectory, checks };
}
