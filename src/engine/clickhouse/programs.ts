/** The server's own program, for restores and drills. */
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { findTool, needsIn } from "../vendor-tool.ts";
import { toolName } from "./tool.ts";

export const serverInstall =
  "the package clickhouse-server of packages.clickhouse.com, or: curl https://clickhouse.com/ | sh";

/** In the policy's `toolDirectory` first, then in PATH. @throws tool-missing */
export async function serverProgram(context: EngineContext): Promise<string> {
  const hint = `a restore starts a server of its own; install ${serverInstall}`;
  return findTool(context, "clickhouse", { hint });
}

/** For the doctor. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  const need = needsIn(policy, ["/usr/bin", "/usr/local/bin"]);
  const install = "the package of github.com/Altinity/clickhouse-backup/releases";
  return [
    need("clickhouse", "restores and drills", serverInstall),
    ...(policy.capture.method === toolName ? [need(toolName, "captures", install)] : []),
  ];
}

/** As a person types it: the name alone where it is on PATH. @throws tool-missing */
export async function programNameOf(context: EngineContext): Promise<string> {
  const found = await serverProgram(context);
  return found === (await context.exec.find("clickhouse")) ? "clickhouse" : found;
}
