/**
 * The append-only file as one set: a manifest, a base and increments. While it is taken no rewrite may run, for
 * a rewrite replaces the set under the copy. The increments grow all the time; what is taken of each is its
 * beginning, as long as it was at one moment, which is a state the server went through.
 * @see Redis persistence documentation, "Backing up AOF persistence"
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArtifactSink } from "../../catalogue/artifact.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { type Client, type Connection, placeOf, withClient } from "./connection.ts";
import { pairsOf, parseInfo } from "./facts.ts";

export const setFolder = "appendonlydir";
export const setManifest = "appendonly.aof.manifest";
const percentage = "auto-aof-rewrite-percentage";
const rewriteWaitMs = 10 * 60_000;
const lookEveryMs = 200;
/** So long a server that does not answer is asked again to take its setting back. */
const putBackMs = 15_000;
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

/**
 * Stores the set in `directory`; the server's own setting of rewrites stands again afterwards, however it ends.
 * @throws tool-failed when it cannot be read or never comes to rest; as `withClient`
 */
export async function captureSet(
  context: EngineContext,
  connection: Connection,
  directory: string,
  sink: ArtifactSink,
): Promise<AppendOnlySet> {
  const settings = await withClient(connection, async (client) =>
    pairsOf(await client.command("CONFIG", "GET", percentage)),
  );
  const before = settings[percentage] ?? "100";
  const taken = takeSet(context, connection, directory, sink);
  const failure = await taken.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  await putBack(context, connection, before).catch((cause: unknown) => {
    // What failed first is the one to tell; the setting shows as drift at the next probe.
    if (failure === undefined) throw cause;
    context.log.warn("the rewrites of the append-only file are still stopped", {
      policy: context.policy.name,
      cause: String(cause),
    });
  });
  return taken;
}

async function takeSet(
  context: EngineContext,
  connection: Connection,
  directory: string,
  sink: ArtifactSink,
): Promise<AppendOnlySet> {
  const path = await withClient(connection, async (client) => {
    await client.command("CONFIG", "SET", percentage, "0");
    await untilNoRewrite(context, client);
    return join(directory, await manifestName(client));
  });
  const { text, files } = await settledSet(context, path);
  await sink.fromBytes(setManifest, Buffer.from(text));
  // Nobody is connected while the files are taken: a server closes clients that say nothing for its `timeout`.
  for (const { name, sizeBytes } of files) {
    context.step(`taking ${name}`);
    await storeBeginning(sink, directory, name, sizeBytes);
  }
  if ((await readManifest(path)) !== text)
    throw new HoldfastError("tool-failed", "the append-only file was rewritten while it was taken", {
      hint: "something else runs BGREWRITEAOF; the next run tries again",
    });
  return { files };
}

/** By a connection of its own, for the one before may be what failed; an abort does not stop it. */
async function putBack(context: EngineContext, connection: Connection, value: string): Promise<void> {
  const giveUpAtMs = context.clock.nowMs() + putBackMs;
  for (;;) {
    try {
      await withClient(connection, (client) => client.command("CONFIG", "SET", percentage, value));
      return;
    } catch (cause) {
      const isAway = cause instanceof HoldfastError && cause.code === "source-unreachable";
      if (isAway && context.clock.nowMs() < giveUpAtMs) {
        await context.clock.wait(lookEveryMs);
        continue;
      }
      throw new HoldfastError(
        "tool-failed",
        `the rewrites of ${placeOf(connection)}'s append-only file are still stopped: ${String(cause)}`,
        { hint: `redis-cli CONFIG SET ${percentage} ${value}`, cause },
      );
    }
  }
}

async function manifestName(client: Client): Promise<string> {
  const name = pairsOf(await client.command("CONFIG", "GET", "appendfilename"))["appendfilename"];
  return name === undefined ? setManifest : `${name}.manifest`;
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
async function settledSet(context: EngineContext, path: string) {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const text = await readManifest(path);
    const names = parseManifest(text);
    const sizes = await Promise.all(names.map((name) => sizeOf(dirname(path), name)));
    if ((await readManifest(path)) === text && sizes.every((size) => size !== undefined)) {
      return { text, files: names.map((name, index) => ({ name, sizeBytes: sizes[index] ?? 0 })) };
    }
    await context.clock.wait(lookEveryMs, context.signal);
  }
  throw new HoldfastError("tool-failed", "the append-only file did not come to rest");
}

async function readManifest(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new HoldfastError(
      "tool-failed",
      `the append-only file in '${dirname(path)}' cannot be read: ${String(cause)}`,
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
    if (/^\s*(#|$)/.test(line)) continue;
    const match = /^file (?:"([^"\\/]+)"|([^\s"/]+)) seq \d+ type ([bih])\b/.exec(line.trim());
    // A file that is left out here would be missed first by a restore.
    if (match === null)
      throw new HoldfastError("tool-failed", `the append-only file's manifest says '${line}'`);
    // History files wait for their removal and are not loaded.
    if (match[3] !== "h") names.push(match[1] ?? match[2] ?? "");
  }
  if (names.length > 0) return names;
  throw new HoldfastError("tool-failed", "the manifest of the append-only file names no file");
}

/** A manifest by which a snapshot is the base of a set: a server with the append-only file on then loads it. */
export function manifestFor(snapshot: string): string {
  return `file ${snapshot} seq 1 type b\n`;
}
