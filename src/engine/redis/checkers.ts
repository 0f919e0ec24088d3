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

/** What redis-check-aof says of the set whose manifest is at `path` and whose files load in the order of `names`. */
export async function checkSet(
  context: EngineContext,
  path: string,
  names: readonly string[],
): Promise<Check> {
  const { isWhole, words } = await judge(
    context,
    "redis-check-aof",
    [path],
    /All AOF files and manifest are valid/,
  );
  // The last increment may end in the middle of a command: the server drops that one when it starts.
  const cutBytes = isWhole ? 0 : bytesOfCutCommand(words, names.at(-1) ?? "");
  return {
    name: "redis-check-aof",
    ok: cutBytes !== undefined,
    detail: isWhole
      ? "every file of the set is valid"
      : cutBytes === undefined
        ? ends(words)
        : `valid up to its last command, which is cut: ${cutBytes} bytes are not loaded`,
  };
}

/** The longest line that says how long something is: a mark, a number of 64 bits, the end of the line. */
const lengthLineBytes = 24;

/**
 * Bytes of the command in whose middle the file ends; undefined where anything else is wrong, or wrong anywhere
 * else, for a server does not start on that. The tool says "Use the --fix option" of both.
 * @see redis-check-aof.c, processRESP
 */
export function bytesOfCutCommand(words: string, last: string): number | undefined {
  if (/^AOF (.+) is not valid/m.exec(words)?.[1] !== last) return undefined;
  const analyzed = /size=(\d+), ok_up_to=\d+, (?:ok_up_to_line=\d+, )?diff=(\d+)/.exec(words);
  if (analyzed === null || /format error|Expected prefix/.test(words)) return undefined;
  const [, size, behind] = analyzed.map(Number);
  // Told of a line that is wrong as well as of one the file ends in; then it is the last few bytes.
  const line = /0x\s*([0-9a-f]+): Expected \\r\\n/.exec(words)?.[1];
  if (line !== undefined && Number(size) - Number.parseInt(line, 16) > lengthLineBytes) return undefined;
  return behind;
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
