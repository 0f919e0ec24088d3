/** Accepted findings: which waiver covers a finding, and which waivers are findings themselves. */
import type { Finding, Severity } from "../finding.ts";
import type { Waiver } from "../policy/model.ts";
import { isOver } from "../policy/waiver-end.ts";

export const waiverRules: readonly {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
}[] = [
  { id: "waiver/expired", severity: "error", title: "an acceptance that has run out" },
  { id: "waiver/incomplete", severity: "error", title: "an acceptance without reason or owner" },
  { id: "waiver/unknown-rule", severity: "error", title: "an acceptance of a rule that does not exist" },
  { id: "waiver/unused", severity: "warning", title: "an acceptance of nothing" },
];

function isIncomplete(waiver: Waiver): boolean {
  return waiver.reason.trim() === "" || waiver.owner.trim() === "";
}

/** The waiver in force that covers a finding of the document, or undefined. */
export function waiverFor(
  finding: Finding,
  document: string,
  waivers: readonly Waiver[],
  nowMs: number,
): Waiver | undefined {
  return waivers.find(
    (waiver) =>
      waiver.rule === finding.rule &&
      waiver.document === document &&
      waiver.location.file === finding.location.file &&
      !isIncomplete(waiver) &&
      !isOver(waiver.until, nowMs),
  );
}

export interface WaiverFacts {
  readonly used: ReadonlySet<Waiver>;
  readonly known: ReadonlySet<string>;
  /** Rules of this run; a waiver of another one cannot be called unused. */
  readonly ran: ReadonlySet<string>;
  readonly nowMs: number;
}

/** What is wrong with the waivers themselves, at most one finding each. */
export function* judgeWaivers(waivers: readonly Waiver[], facts: WaiverFacts): Generator<Finding> {
  for (const waiver of waivers) {
    if (!facts.known.has(waiver.rule)) {
      yield fault(
        waiver,
        "waiver/unknown-rule",
        "error",
        `there is no rule '${waiver.rule.slice(0, 80)}' that could be accepted`,
        "docs/rules lists the rules; faults of YAML, schema and references cannot be accepted",
      );
    } else if (isIncomplete(waiver)) {
      yield fault(
        waiver,
        "waiver/incomplete",
        "error",
        `the acceptance of '${waiver.rule}' has no ${waiver.reason.trim() === "" ? "reason" : "owner"}`,
        "say why it is accepted and by whom, or nobody can judge it later",
      );
    } else if (isOver(waiver.until, facts.nowMs)) {
      yield fault(
        waiver,
        "waiver/expired",
        "error",
        `the acceptance of '${waiver.rule}' ran out on ${waiver.until}`,
        `mend what it accepts, or ask ${waiver.owner.slice(0, 80)} to accept it anew`,
      );
    } else if (facts.ran.has(waiver.rule) && !facts.used.has(waiver)) {
      yield fault(
        waiver,
        "waiver/unused",
        "warning",
        `nothing in '${waiver.document}' is found by '${waiver.rule}'`,
        "a left-over waiver hides the next fault of its kind; remove it",
      );
    }
  }
}

function fault(
  { location }: Waiver,
  rule: string,
  severity: Severity,
  message: string,
  hint: string,
): Finding {
  return { rule, severity, location, message, hint };
}
