/** The vendor's programs: where they are, which version, and how they get the password. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { installHint } from "../../exec/packages.ts";
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { findTool, needsIn } from "../vendor-tool.ts";
import { type Connection, uriOf } from "./connection.ts";

/** Since 100 the tools have versions of their own; before, each was made for one server version. */
const leastToolVersion = 100;
const places = ["/usr/bin", "/usr/local/bin", "/opt/mongodb/bin", "/opt/mongodb-database-tools/bin"];

export type ToolName = "mongodump" | "mongorestore" | "mongod";

/** Full path, the policy's `toolDirectory` first. @throws tool-missing */
export async function toolPath(context: EngineContext, name: ToolName): Promise<string> {
  const hint = `${installHint(name)}, or name its folder in capture.options.toolDirectory`;
  return findTool(context, name, { places, hint });
}

/** `100.9.4`. @throws tool-version for tools before 100 or an answer that is none; tool-failed */
export async function toolVersion(context: EngineContext, path: string): Promise<string> {
  const { stdout } = await context.exec.run({ argv: [path, "--version"] }, { deadlineMs: 30_000 });
  const version = /version:?\s+v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  if (version === undefined)
    throw new HoldfastError("tool-version", `'${path}' does not say its version: ${firstLine(stdout)}`);
  if (path.endsWith("mongod") || Number.parseInt(version, 10) >= leastToolVersion) return version;
  throw new HoldfastError("tool-version", `'${path}' is version ${version}, this needs 100 or newer`, {
    hint: "install the MongoDB Database Tools, which are released apart from the server",
  });
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0]?.slice(0, 200) ?? "";
}

/**
 * Calls `work` with the arguments that lead a tool to the server. The password stands in a file only this
 * user may read, which is gone afterwards.
 */
export async function withToolArguments<T>(
  context: EngineContext,
  connection: Connection,
  extra: Readonly<Record<string, string>>,
  work: (args: readonly string[]) => Promise<T>,
): Promise<T> {
  const address = [`--uri=${uriOf(connection, extra)}`];
  if (connection.user === undefined) return work(address);
  const path = join(context.workDirectory, "mongo-tools.yaml");
  // JSON is YAML, whatever the password holds.
  await writeFile(path, `password: ${JSON.stringify(connection.password ?? "")}\n`, { mode: 0o600 });
  try {
    return await work([...address, `--username=${connection.user}`, `--config=${path}`]);
  } finally {
    await rm(path, { force: true });
  }
}

/** For the doctor. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  const needs = needsIn(policy, places);
  const need = (name: ToolName, without: string) => needs(name, without, installHint(name));
  return [need("mongodump", "captures"), need("mongorestore", "restores"), need("mongod", "drills")];
}
