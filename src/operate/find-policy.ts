/** From a name on the command line to a policy. */
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { World } from "./world.ts";

/** @throws policy-unknown naming the policies there are */
export function findPolicy(world: Pick<World, "set">, name: string): Policy {
  const found = world.set.policies.find((p) => p.name === name);
  if (found !== undefined) return found;
  const names = world.set.policies.map((p) => p.name).join(", ");
  throw new HoldfastError("policy-unknown", `no usable policy is called '${name}'`, {
    hint:
      names === ""
        ? "no policy could be read; run holdfast lint, or name the folder with --policies"
        : `policies without faults: ${names}; run holdfast lint if yours is missing`,
  });
}
