/** Lists both sides, compares them, and prints the replica's inventory, one JSON line per key. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { mapInLanes } from "../lanes.ts";
import { type CompareRules, type Difference, differencesOf, type Pair, pairs } from "./compare.ts";
import { clientOf, type Side } from "./sides.ts";
import { listEntries } from "./versions.ts";

export interface InventoryInput {
  readonly source: Side;
  readonly replica: Side;
  readonly rules: CompareRules;
  /** Objects whose contents are read on both sides. */
  readonly sample: number;
  /** Chooses them: hex. */
  readonly seed: string;
  /** Deletions after it count for the storm. */
  readonly sinceMs: number;
}

export interface InventorySummary {
  readonly keys: number;
  readonly versions: number;
  readonly markers: number;
  readonly currentObjects: number;
  readonly currentBytes: number;
  readonly differences: number;
  /** At most a hundred of them, by key. */
  readonly examples: readonly Difference[];
  readonly deletedSince: number;
  readonly sampled: number;
}

/** One line of the inventory: the current version in the replica. */
export interface InventoryLine {
  readonly key: string;
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedMs: number;
}

const mostExamples = 100;
export const inputName = "HOLDFAST_INVENTORY";

/** @throws whatever a side throws; then nothing it printed may be trusted */
export async function takeInventory(
  input: InventoryInput,
  print: (line: string) => Promise<void>,
): Promise<InventorySummary> {
  const [source, replica] = [clientOf(input.source), clientOf(input.replica)];
  const sum = {
    keys: 0,
    versions: 0,
    markers: 0,
    currentObjects: 0,
    currentBytes: 0,
    differences: 0,
    deletedSince: 0,
  };
  const examples: Difference[] = [];
  const tell = (found: readonly Difference[]): void => {
    sum.differences += found.length;
    examples.push(...found.slice(0, Math.max(0, mostExamples - examples.length)));
  };
  const sample = new Sample(input.sample, input.seed);
  try {
    for await (const pair of pairs(listEntries(source, input.source), listEntries(replica, input.replica))) {
      count(sum, pair, input.sinceMs);
      const found = differencesOf(pair, input.rules);
      tell(found);
      const line = lineOf(pair);
      if (line === undefined) continue;
      await print(JSON.stringify(line));
      if (found.length === 0 && pair.source?.versions[0]?.etag === line.etag) sample.offer(line);
    }
    const contents = await mapInLanes(sample.chosen, (line) => compareContents(source, replica, input, line));
    for (const found of contents) tell(found);
    return { ...sum, examples, sampled: sample.chosen.length };
  } finally {
    source.destroy();
    replica.destroy();
  }
}

interface Counts {
  keys: number;
  versions: number;
  markers: number;
  currentObjects: number;
  currentBytes: number;
  deletedSince: number;
}

function count(sum: Counts, { source, replica }: Pair, sinceMs: number): void {
  const versions = replica?.versions ?? [];
  sum.keys += versions.length > 0 ? 1 : 0;
  sum.versions += versions.filter((v) => !v.isMarker).length;
  sum.markers += versions.filter((v) => v.isMarker).length;
  const current = versions[0];
  if (current !== undefined && !current.isMarker) {
    sum.currentObjects += 1;
    sum.currentBytes += current.sizeBytes;
  }
  const latest = source?.versions[0];
  const isGone = latest === undefined ? versions.length > 0 && !current?.isMarker : latest.isMarker;
  if (isGone && (latest?.modifiedMs ?? Number.POSITIVE_INFINITY) > sinceMs) sum.deletedSince += 1;
}

function lineOf({ key, replica }: Pair): InventoryLine | undefined {
  const current = replica?.versions[0];
  if (current === undefined || current.isMarker) return undefined;
  const { versionId, sizeBytes, etag, modifiedMs } = current;
  return { key, versionId, sizeBytes, etag, modifiedMs };
}

/** The `size` lines with the smallest hash of seed and key: nobody can choose them, and order does not matter. */
class Sample {
  readonly #size: number;
  readonly #seed: string;
  readonly #kept: { readonly hash: string; readonly line: InventoryLine }[] = [];

  constructor(size: number, seed: string) {
    this.#size = size;
    this.#seed = seed;
  }

  offer(line: InventoryLine): void {
    const hash = createHash("sha256").update(`${this.#seed} ${line.key}`).digest("hex");
    if (this.#kept.length >= this.#size && hash >= (this.#kept.at(-1)?.hash ?? "")) return;
    this.#kept.push({ hash, line });
    this.#kept.sort((a, b) => (a.hash < b.hash ? -1 : 1));
    this.#kept.splice(this.#size);
  }

  get chosen(): readonly InventoryLine[] {
    return this.#kept.map(({ line }) => line);
  }
}

async function compareContents(
  source: S3Client,
  replica: S3Client,
  input: InventoryInput,
  { key }: InventoryLine,
): Promise<readonly Difference[]> {
  const [there, here] = await Promise.all([
    hashOf(source, input.source, key),
    hashOf(replica, input.replica, key),
  ]);
  if (there === here || there === undefined) return [];
  return [
    { kind: "content", key, detail: `SHA-256 ${there} at the source, ${here ?? "nothing"} in the replica` },
  ];
}

async function hashOf(client: S3Client, { bucket }: Side, key: string): Promise<string | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const hash = createHash("sha256");
    for await (const chunk of Body as AsyncIterable<Uint8Array>) hash.update(chunk);
    return hash.digest("hex");
  } catch (error) {
    if ((error as { name?: string }).name === "NoSuchKey") return undefined;
    throw error;
  }
}

/** Lines are written together: a file or a pipe takes each write at once. */
const writeBytes = 64 * 1024;

/** The inventory to standard output, and its summary to the file `summaryPath`. */
export async function printInventory(summaryPath: string): Promise<void> {
  const input = JSON.parse(process.env[inputName] ?? "{}") as InventoryInput;
  let lines = "";
  const flush = async (): Promise<void> => {
    const text = lines;
    lines = "";
    if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  };
  const summary = await takeInventory(input, async (line) => {
    lines += `${line}\n`;
    if (lines.length >= writeBytes) await flush();
  });
  // An empty bucket still has an inventory: a stream of nothing would be no artifact.
  if (summary.currentObjects === 0) lines += "\n";
  await flush();
  await writeFile(summaryPath, JSON.stringify(summary));
}
