/** Looks at both buckets: what they are set to against what the policy wants. */
import { HoldfastError } from "../../errors.ts";
import type { SourceFacts } from "../../state/job.ts";
import type { EngineContext } from "../engine.ts";
import { driftOf } from "./drift.ts";
import { rulesWithDeletes } from "./mc.ts";
import { readPosture } from "./posture.ts";
import { placeOf, replicaOf, settingsOf, sourceOf } from "./sides.ts";

/** Never throws for a side that cannot be reached. */
export async function probe(context: EngineContext): Promise<SourceFacts> {
  const { policy } = context;
  const settings = settingsOf(policy);
  const source = await sourceOf(context);
  try {
    const posture = await readPosture(source, await replicaOf(context, "read"));
    const known = (posture.rules?.length ?? 0) === 0 ? undefined : await rulesWithDeletes(context, source);
    const rules = posture.rules?.map((rule) => ({ ...rule, deletes: known?.has(rule.id) }));
    return {
      policy: policy.name,
      reachable: true,
      detail: "",
      version: "S3 2006-03-01",
      identity: placeOf(source),
      tools: {},
      drift: driftOf(policy, settings, { ...posture, rules }),
    };
  } catch (error) {
    if (error instanceof HoldfastError && ["key-missing", "policy-invalid"].includes(error.code)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    return { policy: policy.name, reachable: false, detail, version: "", identity: "", tools: {}, drift: [] };
  }
}
