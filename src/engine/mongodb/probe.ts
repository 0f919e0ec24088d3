/** Looks at the source server: who it is, what it lacks, how long its oplog is. */
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

async function lookForTools(
  context: EngineContext,
): Promise<{ readonly tools: Record<string, string>; readonly missing: readonly Drift[] }> {
  const tools: Record<string, string> = {};
  const missing: Drift[] = [];
  for (const name of ["mongodump", "mongorestore", "mongod"] as const) {
    try {
      tools[name] = await toolVersion(context, await toolPath(context, name));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      missing.push(toolDrift(name, error));
    }
  }
  return { tools, missing };
}

function toolDrift(name: ToolName, error: HoldfastError): Drift {
  return {
    setting: name,
    wanted: name === "mongod" ? "the server's version" : "version 100 or newer",
    found: error.code === "tool-missing" ? "none" : error.message,
    consequence: name === "mongodump" ? "no dump can be taken" : "no restore can be made or proved here",
    mend: error.hint,
    mendable: false,
    severity: name === "mongod" ? "warning" : "critical",
  };
}
