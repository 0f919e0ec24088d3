/** The one sentence that stands on top: the worst thing first, and green only when everything is proved. */
import type { Condition, PolicyHealth, ProofState } from "../state/health.ts";
import { overallProof } from "./json.ts";
import { count } from "./units.ts";

export type Mood = "good" | "warn" | "bad";

export interface OverallVerdict {
  readonly mood: Mood;
  /** Plain text, not escaped. */
  readonly sentence: string;
  /** Every condition, critical ones first, in the order of the policies. */
  readonly conditions: readonly Condition[];
}

const rank = { critical: 0, warning: 1, info: 2 } as const;

/** What a reader must know when he reads nothing else. */
export function overallVerdict(
  healths: readonly PolicyHealth[],
  notBuilt: readonly { readonly policy: string }[],
): OverallVerdict {
  const conditions = healths.flatMap((h) => h.conditions).sort((a, b) => rank[a.severity] - rank[b.severity]);
  const critical = conditions.filter((c) => c.severity === "critical");
  const open =
    notBuilt.length === 0
      ? ""
      : `; ${count(notBuilt.length, "policy has", "policies have")} no engine yet and ${notBuilt.length === 1 ? "is" : "are"} not protected`;
  const first = critical[0];
  if (first !== undefined) {
    const more = critical.length > 1 ? ` (and ${critical.length - 1} more critical)` : "";
    return { mood: "bad", sentence: `${first.policy}: ${first.message}${more}${open}.`, conditions };
  }
  if (healths.length === 0) {
    return { mood: "bad", sentence: `No policy is in force: nothing is protected${open}.`, conditions };
  }
  const state = overallProof(healths);
  if (state !== "proved") {
    const names = healths.filter((h) => h.proof === state).map((h) => h.policy);
    return {
      mood: state === "failed" ? "bad" : "warn",
      sentence: `${listed(names)} ${saysOf(state, names.length)}${open}.`,
      conditions,
    };
  }
  const warning = conditions.find((c) => c.severity === "warning");
  const proved = `${healths.length === 1 ? "The one policy is" : `All ${healths.length} policies are`} proved by restores`;
  if (notBuilt.length > 0) return { mood: "warn", sentence: `${proved}${open}.`, conditions };
  if (warning !== undefined)
    return { mood: "warn", sentence: `${proved}; ${warning.policy}: ${warning.message}.`, conditions };
  return { mood: "good", sentence: `${proved}.`, conditions };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3);
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(" and ");
}

function saysOf(state: ProofState, number: number): string {
  if (state === "failed") return "failed the last verification";
  if (state === "overdue")
    return number === 1 ? "has a proof that is too old" : "have proofs that are too old";
  return number === 1 ? "is not proved by any restore" : "are not proved by any restore";
}

export const moodSign: Readonly<Record<Mood, string>> = { good: "🟢", warn: "🟡", bad: "🔴" };
export const proofSign: Readonly<Record<ProofState, string>> = {
  proved: "🟢",
  overdue: "🟡",
  failed: "🔴",
  unproven: "⚪",
};
