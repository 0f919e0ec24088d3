/** The server's own program, for restores and drills. */
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { toolName } from "./tool.ts";

export const serverInstall =
  "the package clickhouse-server of packages.clickhouse.com, or: curl https://clickhouse.com/ | sh";

/** In the policy's `toolDirectory` first, then in PATH. @throws tool-missing */
export async function serverProgram(context: EngineContext): Promise<string> {
  const folder = context.policy.capture.options["toolDirectory"];
  for (const name of [...(typeof folder === "string" ? [`${folder}/clickhouse`] : []), "clickhouse"]) {
    const found = await context.exec.find(name);
    if (found !== undefined) return found;
  }
  throw new HoldfastError("tool-missing", "'clickhouse' is not on this machine", {
    hint: `a restore starts a server of its own; install ${serverInstall}`,
  });
}

/** For the doctor. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  const { toolDirectory } = policy.capture.options;
  const places = [
    ...(typeof toolDirectory === "string" ? [toolDirectory] : []),
    "/usr/bin",
    "/usr/local/bin",
  ];
  return [
    { name: "clickhouse", places, without: "restores and drills", install: serverInstall },
    ...(policy.capture.method === toolName
      ? [
          {
            name: toolName,
            places,
            without: "captures",
            install: "the package of github.com/Altinity/clickhouse-backup/releases",
          },
        ]
      : []),
  ];
}

/** As a person types it: the name alone where it is on PATH. @throws tool-missing */
export async function programNameOf(context: EngineContext): Promise<string> {
  const found = await serverProgram(context);
  return found === (await context.exec.find("clickhouse")) ? "clickhouse" : found;
}
