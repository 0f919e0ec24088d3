/** Looks at the source: who it is, whether everything the policy names may be read. */
import { HoldfastError } from "../../errors.ts";
import type { Drift, SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { factsFrom } from "../source-facts.ts";
import { askTools, type ToolsFound } from "../vendor-tool.ts";
import { clusterFacts, serverFacts } from "./capture.ts";
import { findMounts, listPaths, readPolicies } from "./key-value.ts";
import { baoPath, programVersion } from "./programs.ts";
import { openVault, settingsOf } from "./settings.ts";

/** Never throws for a server that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  return factsFrom(context, async () => {
    const { tools, missing } = await lookForTools(context);
    const { vault } = settingsOf(policy);
    const found =
      vault === undefined ? { facts: await clusterFacts(context), drift: [] } : await lookAtServer(context);
    return {
      ...found.facts,
      tools,
      drift: [...missing, ...found.drift],
    };
  });
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

function lookForTools(context: EngineContext): Promise<ToolsFound> {
  return askTools(
    ["bao"],
    async () => programVersion(context, await baoPath(context)),
    () => ({
      wanted: "OpenBao or Vault",
      consequence: "no snapshot can be taken, and no drill can be made here",
      severity: context.policy.capture.method === "raft-snapshot" ? "critical" : "warning",
    }),
  );
}
