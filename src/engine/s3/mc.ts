/** MinIO's client: what the S3 API has no words for, and bytes that must not pass through this process. */

import { join } from "node:path";
import { installHint } from "../../exec/packages.ts";
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { findTool, needsIn } from "../vendor-tool.ts";
import type { Side } from "./sides.ts";

const places = ["/usr/local/bin", "/usr/bin"];

/** Full path, the policy's `toolDirectory` first. @throws tool-missing */
export async function mcPath(context: EngineContext): Promise<string> {
  const hint = "install MinIO's client, or name its folder in capture.options.toolDirectory";
  return findTool(context, "mc", { places, hint });
}

/** Environment by which mc knows the sides under their names: credentials stand in no argument and no file. */
export function mcEnvironment(
  context: EngineContext,
  ...sides: readonly Side[]
): Readonly<Record<string, string>> {
  const hosts = sides.map((side) => {
    const url = new URL(side.endpoint === "" ? "https://s3.amazonaws.com" : side.endpoint);
    const login = `${side.accessKeyId}:${side.secretAccessKey}`;
    const session = side.sessionToken === undefined ? "" : `:${side.sessionToken}`;
    return [`MC_HOST_${side.name}`, `${url.protocol}//${login}${session}@${url.host}`] as const;
  });
  return { ...Object.fromEntries(hosts), MC_CONFIG_DIR: join(context.workDirectory, "mc"), MC_QUIET: "1" };
}

/** Rules by id whose deletions of versions are carried over; undefined where the client or the server cannot say. */
export async function rulesWithDeletes(
  context: EngineContext,
  source: Side,
): Promise<ReadonlySet<string> | undefined> {
  try {
    const { stdout } = await context.exec.run(
      {
        argv: [await mcPath(context), "replicate", "export", `${source.name}/${source.bucket}`],
        env: mcEnvironment(context, source),
      },
      { signal: context.signal, deadlineMs: 30_000 },
    );
    const { Rules = [] } = JSON.parse(stdout) as {
      Rules?: readonly { ID?: string; DeleteReplication?: { Status?: string } }[];
    };
    return new Set(Rules.filter((r) => r.DeleteReplication?.Status === "Enabled").map((r) => r.ID ?? ""));
  } catch (error) {
    if (context.signal.aborted) throw error;
    return undefined;
  }
}

/** For the doctor. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  return [needsIn(policy, places)("mc", "restores, drills and mending", installHint("mc"))];
}
