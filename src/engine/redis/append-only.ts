/**
 * The append-only file as one set: a manifest, a base and increments. While it is taken no rewrite may run, for
 * a rewrite replaces the set under the copy. The increments grow all the time; what is taken of each is its
 * beginning, as long as it was at one moment, which is a state the server went through.
 * @see Redis persistence documentation, "Backing up AOF persistence"
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import type { Client } from "./connection.ts";
import { pairsOf, parseInfo } from "./facts.ts";

export const setFolder = "appendonlydir";
export const setManifest = "appendonly.aof.manifest";
const percentage = "auto-aof-rewrite-percentage";
const rewriteWaitMs = 10 * 60_000;
const lookEveryMs = 200;
/** A rewrite that began just before the copy shows as another manifest; then it is begun again. */
const attempts = 5;

export interface AppendOnlySet {
  /** Names in the manifest's order, the manifest itself left out. */
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
}

/** Where the server's set can be read from here: the policy's folder; undefined where it takes none. */
export function setDirectory(context: EngineContext): string | undefined {
  const folder = context.policy.capture.options["appendOnlyDirectory"];
  return typeof folder === "string" ? folder : undefined;
}

/** Stores the set in `directory`. @throws tool-failed when it cannot be read or never comes to rest */
export async function captureSet(
  context: EngineContext,
  client: Client,
  directory: string,
  sink: ArtifactSink,
): Promise<AppendOnlySet> {
  const before = pairsOf(await client.command("CONFIG", "GET", percentage))[percentage] ?? "100";
  await client.command("CONFIG", "SET", percentage, "0");
  try {
    await untilNoRewrite(context, client);
    const { text, files } = await settledSet(context, client, directory);
    await sink.fromBytes(setManifest, Buffer.from(text));
    for (const { name, sizeBytes } of files) {
      context.step(`taking ${name}`);
      await storeBeginning(sink, directory, name, sizeBytes);
    }
    if ((await readManifest(directory)) !== text)
      throw new HoldfastError("tool-failed", "the append-only file was rewritten while it was taken", {
        hint: "something else runs BGREWRITEAOF; the next run tries again",
      });
    return { files };
  } finally {
    await client.command("CONFIG", "SET", percentage, before);
  }
}

async function storeBeginning(
  sink: ArtifactSink,
  directory: string,
  name: string,
  sizeBytes: number,
): Promise<void> {
  // An increment nobody has written to yet is empty, and an empty stream is no artifact.
  if (sizeBytes === 0) await sink.fromBytes(name, new Uint8Array());
  else await sink.fromCommand(name, { argv: ["head", "-c", String(sizeBytes), join(directory, name)] });
}

async function untilNoRewrite(context: EngineContext, client: Client): Promise<void> {
  const giveUpAtMs = context.clock.nowMs() + rewriteWaitMs;
  for (;;) {
    const info = parseInfo(String(await client.command("INFO", "persistence")));
    if (info["aof_enabled"] !== "1") {
      throw new HoldfastError("tool-failed", "the server writes no append-only file", {
        hint: "CONFIG SET appendonly yes, or take appendOnlyDirectory out of the policy",
      });
    }
    if (info["aof_rewrite_in_progress"] === "0" && info["aof_rewrite_scheduled"] === "0") return;
    if (context.clock.nowMs() > giveUpAtMs)
      throw new HoldfastError("tool-failed", `a rewrite still runs after ${rewriteWaitMs / 1000} s`);
    context.step("waiting for the append-only file's rewrite");
    await context.clock.wait(lookEveryMs, context.signal);
  }
}

/** The manifest and the sizes at one moment: read until two readings of the manifest agree around them. */
async function settledSet(context: EngineContext, client: Client, directory: string) {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const text = await readManifest(directory);
    const names = parseManifest(text);
    // What the server has taken so far is written out first, so that the copy holds it.
    await client.command("PING");
    const sizes = await Promise.all(names.map((name) => sizeOf(directory, name)));
    if ((await readManifest(directory)) === text && sizes.every((size) => size !== undefined)) {
      return { text, files: names.map((name, index) => ({ name, sizeBytes: sizes[index] ?? 0 })) };
    }
    await context.clock.wait(lookEveryMs, context.signal);
  }
  throw new HoldfastError("tool-failed", "the append-only file did not come to rest");
}

async function readManifest(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, setManifest), "utf8");
  } catch (cause) {
    throw new HoldfastError(
      "tool-failed",
      `the append-only file in '${directory}' cannot be read: ${String(cause)}`,
      {
        hint: "capture.options.appendOnlyDirectory must be the server's appendonlydir as seen from here",
        cause,
      },
    );
  }
}

async function sizeOf(directory: string, name: string): Promise<number | undefined> {
  return stat(join(directory, name)).then(
    (found) => found.size,
    () => undefined,
  );
}

/** File names of the base and the increments, in the order they are loaded. @throws tool-failed */
export function parseManifest(text: string): readonly string[] {
  const names: string[] = [];
  for (const line of text.split("\n")) {
    const match = /^file "?([^\s"/]+)"? seq \d+ type ([bih])/.exec(line.trim());
    // History files wait for their removal and are not loaded.
    if (match !== null && match[2] !== "h") names.push(match[1] ?? "");
  }
  if (names.length > 0) return names;
  throw new HoldfastError("tool-failed", "the manifest of the append-only file names no file");
}

/** A manifest by which a snapshot is the base of a set: a server with the append-only file on then loads it. */
export function manifestFor(snapshot: string): string {
  return `file ${snapshot} seq 1 type b\n`;
}
