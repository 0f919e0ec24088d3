/** Looks at the source: who it is, whether everything the policy names may be read. */
import { HoldfastError } from "../../errors.ts";
import type { Drift, SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { clusterFacts, serverFacts } from "./capture.ts";
import { findMounts, listPaths, readPolicies } from "./key-value.ts";
import { baoPath, programVersion } from "./programs.ts";
import { openVault, settingsOf } from "./settings.ts";

/** Never throws for a server that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  try {
    const { tools, missing } = await lookForTools(context);
    const { vault } = settingsOf(policy);
    const found =
      vault === undefined ? { facts: await clusterFacts(context), drift: [] } : await lookAtServer(context);
    return {
      policy: policy.name,
      reachable: true,
      detail: "",
      ...found.facts,
      tools,
      drift: [...missing, ...found.drift],
    };
  } catch (error) {
    if (error instanceof HoldfastError && ["key-missing", "policy-invalid"].includes(error.code)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    return { policy: policy.name, reachable: false, detail, version: "", identity: "", tools: {}, drift: [] };
  }
}

async function lookAtServer(context: EngineContext) {
  const api = await openVault(context);
  try {
    const facts = await serverFacts(api);
    const drift: Drift[] = [];
    if (context.policy.capture.method !== "raft-snapshot") {
      try {
        for (const mount of (await findMounts(api, settingsOf(context.policy).mounts)).mounts)
          await listPaths(api, mount);
        await readPolicies(api);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
        drift.push(rightsDrift(error));
      }
    }
    return { facts, drift };
  } finally {
    api.close();
  }
}

function rightsDrift(error: HoldfastError): Drift {
  return {
    setting: "rights",
    wanted: "list and read on every mount and policy of the policy",
    found: error.message,
    consequence: "the export fails, and no point is made",
    mend: error.hint,
    mendable: false,
    severity: "critical",
  };
}

async function lookForTools(
  context: EngineContext,
): Promise<{ readonly tools: Record<string, string>; readonly missing: readonly Drift[] }> {
  try {
    return { tools: { bao: await programVersion(context, await baoPath(context)) }, missing: [] };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const drift: Drift = {
      setting: "bao",
      wanted: "OpenBao or Vault",
      found: "none",
      consequence: "no snapshot can be taken, and no drill can be made here",
      mend: error.hint,
      mendable: false,
      severity: context.policy.capture.method === "raft-snapshot" ? "critical" : "warning",
    };
    return { tools: {}, missing: [drift] };
  }
}
