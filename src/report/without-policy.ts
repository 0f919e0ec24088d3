/** Kinds of components that no policy speaks of. That nothing is said of them is said. */
import { componentFacts, componentKinds } from "../component.ts";
import type { ReportInput } from "./input.ts";

export interface KindWithoutPolicy {
  readonly component: string;
  readonly title: string;
}

export function kindsWithoutPolicy(input: ReportInput): readonly KindWithoutPolicy[] {
  const named = new Set<string>([
    ...input.policies.map((p) => p.policy.component),
    ...input.notBuilt.map((n) => n.component),
  ]);
  return componentKinds
    .filter((kind) => !named.has(kind))
    .map((component) => ({ component, title: componentFacts(component).title }));
}
