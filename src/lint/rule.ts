/** What a lint rule is: an id, a severity and a pure check from resolved policies to findings. */
import type { Severity } from "../finding.ts";
import type { PolicySet, YamlPath } from "../policy/model.ts";

/** Where a rule points: a document and a path into it; the run turns that into line and column. */
export interface Complaint {
  /** `metadata.name` and kind of the document. */
  readonly document: { readonly kind: string; readonly name: string };
  readonly path: YamlPath;
  /** Point at the key and not at the value. */
  readonly atKey?: boolean;
  readonly message: string;
  readonly hint: string;
  /** Replacement of the value's text. */
  readonly replacement?: string;
}

export interface RuleInput {
  readonly set: PolicySet;
  readonly nowMs: number;
}

export interface Rule {
  /** `group/name`; its page is `docs/rules/<group>-<name>.md`. */
  readonly id: string;
  readonly severity: Severity;
  /** One line for the list of rules. */
  readonly title: string;
  check(input: RuleInput): Iterable<Complaint>;
}
