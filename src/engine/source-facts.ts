/** What a probe says of a source, one that cannot be reached included. */
import { type ErrorCode, HoldfastError } from "../errors.ts";
import type { SourceFacts } from "../state/job.ts";
import type { EngineContext } from "./engine.ts";

/** Faults of the policy or of its surroundings, which no source has anything to do with. */
const ownFaults: ReadonlySet<ErrorCode> = new Set(["key-missing", "policy-invalid", "usage"]);

/** Not reachable where `look` throws. @throws key-missing, policy-invalid and usage as they are */
export async function factsFrom(
  { policy }: EngineContext,
  look: () => Promise<Omit<SourceFacts, "policy" | "reachable" | "detail">>,
): Promise<SourceFacts> {
  try {
    return { policy: policy.name, reachable: true, detail: "", ...(await look()) };
  } catch (error) {
    if (error instanceof HoldfastError && ownFaults.has(error.code)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    return { policy: policy.name, reachable: false, detail, version: "", identity: "", tools: {}, drift: [] };
  }
}
