/** Actions of a plan in words; shared by the terminal and the pull-request comment. */
import type { Action } from "../state/plan.ts";
import { count, formatInstant } from "./units.ts";

/** One sign per kind for the first column. */
export const actionSign: Readonly<Record<Action["kind"], string>> = {
  "mark-store": "+",
  "mend-source": "~",
  "create-job": "+",
  "update-job": "~",
  "remove-job": "-",
  "run-job": ">",
  tombstone: "x",
  "delete-point": "x",
  "delete-log": "x",
};

/** What an action is about, in a few words. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case "mark-store":
      return `mark ${action.store}:${action.prefix}`;
    case "mend-source":
      return `set ${action.setting} = ${action.wanted}`;
    case "create-job":
      return `create job ${action.job.key}`;
    case "update-job":
      return `update job ${action.job.key} (${action.changed.join(", ")})`;
    case "remove-job":
      return `remove job ${action.key}`;
    case "run-job":
      return `run ${action.key} for ${formatInstant(action.slotAt)}`;
    case "tombstone":
      return `mark point ${action.point} for deletion`;
    case "delete-point":
      return `delete point ${action.point}`;
    case "delete-log":
      return `delete ${count(action.keys.length, "log segment")}`;
  }
}

/** Whether the action takes stored bytes away, now or later. */
export function isDestructive(action: Action): boolean {
  return action.kind === "tombstone" || action.kind === "delete-point" || action.kind === "delete-log";
}
