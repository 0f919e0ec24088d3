/**
 * The `.backup` file ClickHouse writes last: every file of the backup with size and checksum, and which of
 * them lie in the backup it builds on. XML of one fixed shape; a full reader would bring a package for it.
 * @see ClickHouse src/Backups/BackupImpl.cpp, writeBackupMetadata
 */
import type { Artifact } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";

export const metadataFile = ".backup";

export interface BackupFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Where its bytes lie in this backup; absent when they are all in the one before. */
  readonly dataFile?: string;
  /** Bytes of the file that the backup before this one holds. */
  readonly baseBytes: number;
}

export interface BackupMetadata {
  readonly version: number;
  readonly uuid: string;
  readonly baseUuid?: string;
  readonly files: readonly BackupFile[];
}

/** @throws data-damaged when it is not what ClickHouse writes */
export function parseMetadata(text: string): BackupMetadata {
  if (!/^\s*(<\?xml[^>]*>\s*)?<config>/.test(text) || !/<\/config>\s*$/.test(text))
    throw new HoldfastError("data-damaged", "the backup's metadata is not whole");
  const head = text.slice(0, Math.max(0, text.indexOf("<contents>")));
  const version = Number(field(head, "version"));
  const uuid = field(head, "uuid") ?? "";
  if (!(version >= 1) || uuid === "")
    throw new HoldfastError("data-damaged", "the backup's metadata names no version");
  const baseUuid = field(head, "base_backup_uuid");
  const files = [...text.matchAll(/<file>([\s\S]*?)<\/file>/g)].map(([, body = ""]) => fileOf(body));
  const count = text.split("<file>").length - 1;
  if (files.length !== count) throw new HoldfastError("data-damaged", "the backup's metadata is cut");
  return { version, uuid, ...(baseUuid === undefined ? {} : { baseUuid }), files };
}

function fileOf(body: string): BackupFile {
  const name = field(body, "name");
  const sizeBytes = Number(field(body, "size") ?? Number.NaN);
  if (name === undefined || !Number.isSafeInteger(sizeBytes))
    throw new HoldfastError("data-damaged", "the backup's metadata names a file without name or size");
  const isInBase = field(body, "use_base") === "true";
  const baseBytes = isInBase ? Number(field(body, "base_size") ?? sizeBytes) : 0;
  const isHere = sizeBytes > 0 && baseBytes < sizeBytes;
  return { name, sizeBytes, baseBytes, ...(isHere ? { dataFile: field(body, "data_file") ?? name } : {}) };
}

function field(text: string, name: string): string | undefined {
  const found = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(text)?.[1];
  return found === undefined ? undefined : unescaped(found);
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d+)|#x([0-9a-f]+));/gi, (whole, entity, decimal, hex) => {
    if (entity !== undefined) return entities[String(entity).toLowerCase()] ?? whole;
    return String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal === undefined ? 16 : 10));
  });
}

/** Parts per table, as `database.table` in the backup's own escaping → set of part names. */
export function partsIn(metadata: BackupMetadata): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { name } of metadata.files) {
    const match = /^(?:shards\/[^/]+\/replicas\/[^/]+\/)?data\/([^/]+)\/([^/]+)\/([^/]+)\/[^/]/.exec(name);
    if (match === null) continue;
    const [, database = "", table = "", part = ""] = match;
    const key = `${unescapedName(database)}.${unescapedName(table)}`;
    found.set(key, (found.get(key) ?? new Set()).add(part));
  }
  return found;
}

/** ClickHouse writes every byte of a name outside [A-Za-z0-9_] as %XX. */
function unescapedName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/**
 * What is wrong with the files of a backup: each that the metadata says lies here must be an object of the
 * artifact, with as many bytes. Empty when all is right.
 */
export function missingFiles(metadata: BackupMetadata, artifact: Artifact): readonly string[] {
  const metadataKey = artifact.objects.find((o) => o.key.endsWith(`/${metadataFile}`))?.key ?? "";
  const place = metadataKey.slice(0, metadataKey.length - metadataFile.length);
  const sizes = new Map(artifact.objects.map((o) => [o.key.slice(place.length), o.sizeBytes]));
  const wrong: string[] = [];
  for (const { name, dataFile, sizeBytes, baseBytes } of metadata.files) {
    if (dataFile === undefined) continue;
    const found = sizes.get(dataFile);
    if (found === undefined) wrong.push(`${name} is not there`);
    else if (dataFile === name && found !== sizeBytes - baseBytes)
      wrong.push(`${name} has ${found} bytes instead of ${sizeBytes - baseBytes}`);
  }
  return wrong;
}
