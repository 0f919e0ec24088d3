/** The vendor's programs: where they are and which version. */
import { HoldfastError } from "../../errors.ts";
import { installHint } from "../../exec/packages.ts";
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { findTool, needsIn } from "../vendor-tool.ts";

const places = ["/usr/bin", "/usr/local/bin"];
/** The append-only file is a set with a manifest since 7, and redis-cli writes a snapshot to its output. */
const leastMajor = 7;

export type ToolName = "redis-cli" | "redis-server" | "redis-check-rdb" | "redis-check-aof";

/** Full path, the policy's `toolDirectory` first. @throws tool-missing */
export async function toolPath(context: EngineContext, name: ToolName): Promise<string> {
  const hint = `${installHint(name)}, or name its folder in capture.options.toolDirectory`;
  return findTool(context, name, { places, hint });
}

/** `7.0.15`. @throws tool-version before 7 or for an answer that is none; tool-failed */
export async function toolVersion(context: EngineContext, path: string): Promise<string> {
  const { stdout } = await context.exec.run({ argv: [path, "--version"] }, { deadlineMs: 30_000 });
  const version = /(?:redis-cli |v=)(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined)
    throw new HoldfastError(
      "tool-version",
      `'${path}' does not say its version: ${stdout.slice(0, 200).trim()}`,
    );
  if (Number.parseInt(version, 10) >= leastMajor) return version;
  throw new HoldfastError(
    "tool-version",
    `'${path}' is version ${version}, this needs ${leastMajor} or newer`,
    {
      hint: "install the tools of Redis 7 or 8; they read older servers too",
    },
  );
}

/** For the doctor. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  const needs = needsIn(policy, places);
  const need = (name: ToolName, without: string) => needs(name, without, installHint(name));
  return [
    need("redis-cli", "captures"),
    need("redis-check-rdb", "the check of a snapshot"),
    need("redis-check-aof", "the check of an append-only file"),
    need("redis-server", "restores and drills"),
  ];
}
