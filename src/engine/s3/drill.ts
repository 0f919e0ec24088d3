/** What a drill asks: the objects that came back lie in a folder, and no server is needed to look at them. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Instant, instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, Restored, RunningServer } from "../engine.ts";
import { dataFolder } from "./restore.ts";

export async function start(_context: EngineContext, { directory }: Restored): Promise<RunningServer> {
  const data = join(directory, dataFolder);
  const files = await countFiles(data);
  return {
    connection: { directory: data },
    reached: { objects: String(files) },
    ask: (statement) => ask(data, files, statement),
    lastCanaryAt: () => canaryAt(`${data}.canary`),
    stop: async () => undefined,
  };
}

async function countFiles(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile()).length;
}

/** `count > 3`, `exists models/v1/weights.bin`. @throws usage */
async function ask(data: string, files: number, statement: string): Promise<boolean> {
  const count = /^count\s*(==|>=|>)\s*(\d+)$/.exec(statement.trim());
  if (count !== null) {
    const wanted = Number(count[2]);
    if (count[1] === "==") return files === wanted;
    return count[1] === ">" ? files > wanted : files >= wanted;
  }
  const exists = /^exists\s+(\S.*)$/.exec(statement.trim())?.[1];
  if (exists !== undefined && !exists.split("/").includes("..")) {
    return stat(join(data, exists)).then(
      (found) => found.isFile(),
      () => false,
    );
  }
  throw new HoldfastError("usage", `'${statement}' is no question`, { hint: "count > 3, or exists KEY" });
}

async function canaryAt(path: string): Promise<Instant | undefined> {
  const ms = Date.parse(await readFile(path, "utf8").catch(() => ""));
  return Number.isNaN(ms) ? undefined : instant(ms);
}
