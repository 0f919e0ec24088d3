/** What the vendor's checkers say of a snapshot and of an append-only set. */
import type { Check } from "../../catalogue/manifest.ts";
import type { EngineContext } from "../engine.ts";
import { type ToolName, toolPath } from "./tool.ts";

const lastLines = 4;

/** What redis-check-rdb says of the snapshot at `path`. */
export async function checkSnapshot(context: EngineContext, path: string): Promise<Check> {
  const { isWhole, words } = await judge(context, "redis-check-rdb", [path], /RDB looks OK/);
  const keys = /(\d+) keys read/.exec(words)?.[1];
  return {
    name: "redis-check-rdb",
    ok: isWhole,
    detail: isWhole ? `${keys ?? "?"} keys read, its checksum is right` : ends(words),
  };
}

/** What redis-check-aof says of the set whose manifest is at `path`. */
export async function checkSet(context: EngineContext, path: string): Promise<Check> {
  const { isWhole, words } = await judge(
    context,
    "redis-check-aof",
    [path],
    /All AOF files and manifest are valid/,
  );
  // The last increment may end in the middle of a command: the server drops that one when it starts.
  const isCutAtEnd = /AOF .*\.incr\.aof is not valid.*Use the --fix option/s.test(words);
  return {
    name: "redis-check-aof",
    ok: isWhole || isCutAtEnd,
    detail: isWhole
      ? "every file of the set is valid"
      : isCutAtEnd
        ? "valid up to its last command"
        : ends(words),
  };
}

function ends(words: string): string {
  return words.trim().split("\n").slice(-lastLines).join("; ");
}

async function judge(
  context: EngineContext,
  name: ToolName,
  args: readonly string[],
  good: RegExp,
): Promise<{ readonly isWhole: boolean; readonly words: string }> {
  const program = await toolPath(context, name);
  const { exitStatus, stdout, stderr } = await context.exec.run(
    { argv: [program, ...args] },
    { signal: context.signal, deadlineMs: context.policy.deadlineMs, accept: [0, 1] },
  );
  const words = `${stdout}\n${stderr}`;
  return { isWhole: exitStatus === 0 && good.test(words), words };
}
