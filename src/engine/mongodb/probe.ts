/** Looks at the source server: who it is, what it lacks, how long its oplog is. */
import type { SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { factsFrom } from "../source-facts.ts";
import { askTools } from "../vendor-tool.ts";
import { connectionOf, withClient } from "./connection.ts";
import { driftOf } from "./drift.ts";
import { readFacts } from "./facts.ts";
import { toolPath, toolVersion } from "./tool.ts";

/** Never throws for a server that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  return factsFrom(context, async () => {
    const facts = await withClient(await connectionOf(context), readFacts);
    const { tools, missing } = await askTools(
      ["mongodump", "mongorestore", "mongod"],
      async (name) => toolVersion(context, await toolPath(context, name)),
      (name) => ({
        wanted: name === "mongod" ? "the server's version" : "version 100 or newer",
        consequence: name === "mongodump" ? "no dump can be taken" : "no restore can be made or proved here",
        severity: name === "mongod" ? "warning" : "critical",
      }),
    );
    return {
      version: facts.version,
      identity: facts.identity,
      tools,
      drift: [...missing, ...driftOf(policy, facts)],
    };
  });
}
