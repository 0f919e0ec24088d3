/** Looks at the source server: who it is, what it lacks. */
import { HoldfastError } from "../../errors.ts";
import type { Drift, SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { connectionOf, withClient } from "./connection.ts";
import { driftOf } from "./drift.ts";
import { readFacts } from "./facts.ts";
import { type ToolName, toolPath, toolVersion } from "./tool.ts";

/** Never throws for a server that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  try {
    const facts = await withClient(await connectionOf(context), readFacts);
    const { tools, missing } = await lookForTools(context);
    return {
      policy: policy.name,
      reachable: true,
      detail: "",
      version: facts.version,
      identity: facts.identity,
      tools,
      drift: [...missing, ...driftOf(policy, facts)],
    };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === "key-missing") throw error;
    const detail = error instanceof Error ? error.message : String(error);
    return { policy: policy.name, reachable: false, detail, version: "", identity: "", tools: {}, drift: [] };
  }
}

const versioned: readonly ToolName[] = ["redis-cli", "redis-server"];

async function lookForTools(
  context: EngineContext,
): Promise<{ readonly tools: Record<string, string>; readonly missing: readonly Drift[] }> {
  const tools: Record<string, string> = {};
  const missing: Drift[] = [];
  for (const name of versioned) {
    try {
      tools[name] = await toolVersion(context, await toolPath(context, name));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      missing.push({
        setting: name,
        wanted: "version 7 or newer",
        found: error.code === "tool-missing" ? "none" : error.message,
        consequence:
          name === "redis-cli" ? "no snapshot can be taken" : "no restore can be made or proved here",
        mend: error.hint,
        mendable: false,
        severity: "critical",
      });
    }
  }
  return { tools, missing };
}
