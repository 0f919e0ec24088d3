/** Conditions as the reconciler sees them come and go: a report tells of those that are over too. */
import type { Instant } from "../catalogue/instant.ts";
import { instant } from "../catalogue/instant.ts";
import type { Episode } from "../report/input.ts";
import type { Condition, ConditionKind } from "../state/health.ts";
import type { World } from "./world.ts";

const journal = "conditions";
/** These say that something was not done yet, or was not meant to be. */
const noFailure = new Set<ConditionKind>(["unproven", "engine-missing", "suspended"]);

interface Note {
  readonly event: "began" | "ended";
  readonly policy: string;
  readonly kind: ConditionKind;
  readonly severity: Condition["severity"];
  readonly message: string;
  readonly at: Instant;
}

type Noting = Pick<World, "clock" | "remember" | "recall">;

export interface ConditionJournal {
  /** The conditions that hold now. What began or ended since the last look is kept. */
  note(world: Noting, conditions: readonly Condition[]): Promise<void>;
}

/** Goes on where an earlier process left off: what began then may end now. */
export function openConditionJournal(): ConditionJournal {
  let open: Map<string, Note> | undefined;
  return {
    note: async (world, conditions) => {
      open ??= openIn(await world.recall<Note>(journal));
      const at = instant(world.clock.nowMs());
      const holding = new Map<string, Condition>();
      for (const condition of conditions) {
        const key = keyOf(condition);
        // Several of one kind are one episode, which has the words of the first.
        if (condition.severity !== "info" && !noFailure.has(condition.kind) && !holding.has(key))
          holding.set(key, condition);
      }
      for (const [key, note] of [...open]) {
        if (holding.has(key)) continue;
        await world.remember(journal, { ...note, event: "ended", at });
        open.delete(key);
      }
      for (const [key, { policy, kind, severity, message }] of holding) {
        if (open.has(key)) continue;
        const note: Note = { event: "began", policy, kind, severity, message, at };
        await world.remember(journal, note);
        open.set(key, note);
      }
    },
  };
}

function openIn(notes: readonly Note[]): Map<string, Note> {
  const open = new Map<string, Note>();
  for (const note of notes) {
    if (note.event === "began") open.set(keyOf(note), note);
    else open.delete(keyOf(note));
  }
  return open;
}

function keyOf({ policy, kind }: { readonly policy: string; readonly kind: ConditionKind }): string {
  return `${policy}\n${kind}`;
}

/** By policy its episodes that had not ended before `fromAt`, oldest first; none for a policy without any. */
export async function episodesByPolicy(
  world: Pick<World, "recall">,
  fromAt: Instant,
): Promise<ReadonlyMap<string, readonly Episode[]>> {
  const open = new Map<string, Note>();
  const found = new Map<string, Episode[]>();
  const add = ({ policy, kind, severity, message, at }: Note, toAt?: Instant): void => {
    if (toAt !== undefined && toAt < fromAt) return;
    const episode = { kind, severity, message, fromAt: at, ...(toAt === undefined ? {} : { toAt }) };
    found.set(policy, [...(found.get(policy) ?? []), episode]);
  };
  for (const note of await world.recall<Note>(journal)) {
    const began = open.get(keyOf(note));
    if (note.event === "began") open.set(keyOf(note), note);
    else if (began !== undefined) {
      open.delete(keyOf(note));
      add(began, note.at);
    }
  }
  for (const began of open.values()) add(began);
  for (const episodes of found.values())
    episodes.sort((a, b) => (a.fromAt < b.fromAt ? -1 : a.fromAt > b.fromAt ? 1 : a.kind < b.kind ? -1 : 1));
  return found;
}
