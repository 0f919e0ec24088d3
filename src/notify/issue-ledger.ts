/**
 * The causes an issue is owed for, on disk: written before GitHub is asked, struck out once the issue is closed.
 * So a failure that began and ended while GitHub was away still leaves its issue, and a restart knows of it.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { readJson, writeJson } from "../json-file.ts";
import type { Alert } from "./notifier.ts";

export interface OwedIssue {
  readonly receiver: string;
  readonly cause: string;
  /** As it was told last. */
  alert: Alert;
  /** When the cause was seen first. */
  sinceMs: number;
  /** When the world was looked at last and it held. */
  heldMs: number;
  /** When it was no longer seen; missing while it holds. */
  overMs?: number;
  /** Number of its issue once there is one. */
  issue?: number;
}

export interface IssueLedger {
  /** Of one receiver, the oldest cause first. */
  of(receiver: string): readonly OwedIssue[];
  find(receiver: string, cause: string): OwedIssue | undefined;
  put(entry: OwedIssue): void;
  strike(entry: OwedIssue): void;
  /** Afterwards the file holds what is owed now. Costs nothing when nothing has changed. */
  save(): Promise<void>;
}

/** Reads what an earlier process has left. Without a path nothing outlives the process. */
export async function openIssueLedger(path?: string): Promise<IssueLedger> {
  const stored = path === undefined ? undefined : await readJson<{ readonly owed?: unknown }>(path);
  const owed = new Map<string, OwedIssue>();
  const keyOf = ({ receiver, cause }: Pick<OwedIssue, "receiver" | "cause">) => `${receiver}\n${cause}`;
  for (const entry of Array.isArray(stored?.owed) ? (stored.owed as OwedIssue[]) : []) {
    if (typeof entry?.cause === "string" && typeof entry.alert?.name === "string")
      owed.set(keyOf(entry), entry);
  }
  // Messages hold ages that grow; only what a restart must know is worth a write.
  const gist = () =>
    [...owed.values()]
      .map((e) => [keyOf(e), e.sinceMs, e.heldMs, e.overMs ?? 0, e.issue ?? 0].join(" "))
      .join("\n");
  let saved = gist();
  return {
    of: (receiver) =>
      [...owed.values()].filter((e) => e.receiver === receiver).sort((a, b) => a.sinceMs - b.sinceMs),
    find: (receiver, cause) => owed.get(keyOf({ receiver, cause })),
    put: (entry) => void owed.set(keyOf(entry), entry),
    strike: (entry) => void owed.delete(keyOf(entry)),
    save: async () => {
      const now = gist();
      if (path === undefined || now === saved) return;
      await mkdir(dirname(path), { recursive: true });
      await writeJson(path, { owed: [...owed.values()] });
      saved = now;
    },
  };
}
