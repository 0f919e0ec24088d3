/** Short ways to name a place in a document, so that a rule reads as its sentence and not as plumbing. */
import { type ComponentFacts, componentFacts } from "../component.ts";
import type { KeepTable, Policy, YamlPath } from "../policy/model.ts";
import { type Cron, parseCron } from "../time/cron.ts";
import type { Complaint } from "./rule.ts";

type Said = Pick<Complaint, "message" | "hint"> & Partial<Pick<Complaint, "atKey" | "replacement">>;

/** A complaint about a policy; `path` starts below `spec`. */
export function inPolicy(policy: Policy, path: YamlPath, said: Said): Complaint {
  return { document: { kind: "BackupPolicy", name: policy.name }, path: ["spec", ...path], ...said };
}

/** A complaint about a document whose `spec` holds the value. */
export function inSpec(kind: "Store" | "Reconciler", name: string, path: YamlPath, said: Said): Complaint {
  return { document: { kind, name }, path: ["spec", ...path], ...said };
}

/**
 * A complaint about a named item of a list document. Lists of several documents are one list in the set, so
 * the document's name stays empty and the item is given by name; the run looks it up.
 */
export function inList(
  kind: "RetentionTable" | "KeyRing" | "AlertTable",
  path: YamlPath,
  said: Said,
): Complaint {
  return { document: { kind, name: "" }, path, ...said };
}

/** The key below `spec` that holds the component's change log. */
export function logKey(policy: Policy): "wal" | "oplog" {
  return factsOf(policy).log === "oplog" ? "oplog" : "wal";
}

export function factsOf(policy: Policy): ComponentFacts {
  return componentFacts(policy.component);
}

/** A vendor's tool carries the bytes to the store, so codec and envelope are not ours. */
export function isCarriedByTool(policy: Policy): boolean {
  return factsOf(policy).carriedByTool.includes(policy.capture.method);
}

const parsed = new Map<string, Cron | undefined>();

/** The cron, parsed once per text, or undefined for one that cannot be read (a schema finding of its own). */
export function cronOf(text: string): Cron | undefined {
  if (parsed.has(text)) return parsed.get(text);
  const cron = parseCron(text);
  const value = "error" in cron ? undefined : cron;
  if (parsed.size > 20_000) parsed.clear();
  parsed.set(text, value);
  return value;
}

/** Whether a host name or address is this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Host of an http(s) URL; empty for text that is none. */
export function hostOf(url: string): string {
  return /^https?:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(url)?.[1]?.toLowerCase() ?? "";
}

/** Days after which the table lets go of a point at the latest; Infinity for never, undefined for counts of points alone. */
export function longestKeepDays(keep: KeepTable): number | undefined {
  if (keep.forever === true) return Number.POSITIVE_INFINITY;
  const spans = [
    (keep.hourly ?? 0) / 24,
    keep.daily ?? 0,
    (keep.weekly ?? 0) * 7,
    (keep.monthly ?? 0) * 31,
    (keep.yearly ?? 0) * 366,
    keep.days ?? 0,
  ];
  const longest = Math.max(...spans);
  return longest === 0 ? undefined : longest;
}
