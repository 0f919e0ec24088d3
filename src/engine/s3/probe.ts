/** Looks at both buckets: what they are set to against what the policy wants. */
import type { SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { factsFrom } from "../source-facts.ts";
import { driftOf } from "./drift.ts";
import { rulesWithDeletes } from "./mc.ts";
import { readPosture } from "./posture.ts";
import { placeOf, replicaOf, settingsOf, sourceOf } from "./sides.ts";

/** Never throws for a side that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  const settings = settingsOf(policy);
  const source = await sourceOf(context);
  return factsFrom(context, async () => {
    const posture = await readPosture(source, await replicaOf(context, "read"));
    const known = (posture.rules?.length ?? 0) === 0 ? undefined : await rulesWithDeletes(context, source);
    const rules = posture.rules?.map((rule) => ({ ...rule, deletes: known?.has(rule.id) }));
    return {
      version: "S3 2006-03-01",
      identity: placeOf(source),
      tools: {},
      drift: driftOf(policy, settings, { ...posture, rules }),
    };
  });
}
