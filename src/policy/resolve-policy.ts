/** One BackupPolicy document resolved against the tables, stores, checklists and keys around it. */
import { componentFacts } from "../component.ts";
import { parseDuration } from "../time/duration.ts";
import type {
  Checklist,
  Codec,
  DocumentKind,
  KeyRecipient,
  LogSettings,
  Policy,
  RetentionRow,
  Schedule,
  StoreReference,
  StoreSettings,
  YamlPath,
} from "./model.ts";
import type { Entry, LogText, PolicyText, StoreReferenceText } from "./yaml-shapes.ts";

export interface Lookup {
  readonly retention: ReadonlyMap<string, RetentionRow>;
  readonly keys: ReadonlyMap<string, KeyRecipient>;
  readonly stores: ReadonlyMap<string, StoreSettings>;
  readonly checklists: ReadonlyMap<string, Checklist>;
}

/** Looks a name up and complains where it is not there. */
export type Refer = <T>(
  known: ReadonlyMap<string, T>,
  kind: DocumentKind,
  name: string,
  path: YamlPath,
) => T | undefined;

const defaultLevels: Readonly<Record<Codec, number>> = { none: 0, gzip: 6, zstd: 3 };

/** Milliseconds of a text the schema has passed. */
export function durationMs(text: string): number {
  return parseDuration(text) ?? 0;
}

/** The policy, or undefined when something it refers to is not there. */
export function resolvePolicy(entry: Entry, lookup: Lookup, refer: Refer): Policy | undefined {
  const spec = entry.value["spec"] as unknown as PolicyText;
  const { capture, objectives, prune } = spec;
  const store = refer(lookup.stores, "Store", spec.store.name, ["spec", "store", "name"]);
  const retention = refer(lookup.retention, "RetentionTable", spec.retention, ["spec", "retention"]);
  const verification = refer(lookup.checklists, "VerificationChecklist", spec.verification, [
    "spec",
    "verification",
  ]);
  const recipients = spec.encryption?.recipients ?? [];
  const keys = recipients.map((name, i) =>
    refer(lookup.keys, "KeyRing", name, ["spec", "encryption", "recipients", i]),
  );
  const logKey = spec.wal === undefined ? "oplog" : "wal";
  const logText = spec[logKey];
  const log = logText === undefined ? undefined : resolveLog(entry.name, logKey, logText, lookup, refer);
  if (store === undefined || retention === undefined || verification === undefined) return undefined;
  if (keys.includes(undefined) || (logText !== undefined && log === undefined)) return undefined;

  const facts = componentFacts(spec.component);
  const codec = capture.compression ?? (facts.carriedByTool.includes(capture.method) ? "none" : "zstd");
  const database = spec.connection["database"];
  return {
    name: entry.name,
    component: spec.component,
    owner: spec.owner ?? "",
    suspended: spec.suspended ?? false,
    connection: spec.connection,
    failureDomain: spec.failureDomain ?? "",
    objectives: {
      rpoMs: durationMs(objectives.rpo),
      rtoMs: durationMs(objectives.rto),
      reachMs: objectives.reach === "forever" ? "forever" : durationMs(objectives.reach),
      pitrWindowMs: durationMs(objectives.pitrWindow ?? "0s"),
    },
    schedule: scheduleOf(spec.schedule),
    capture: {
      method: capture.method,
      codec,
      level: capture.level ?? defaultLevels[codec],
      ...(capture.fullCron === undefined ? {} : { fullCron: capture.fullCron }),
      options: capture.options ?? {},
    },
    ...(log === undefined ? {} : { log }),
    store: referenceOf(spec.store),
    encryption: { recipients },
    retention,
    prune: {
      floor: prune?.floor ?? 3,
      graceMs: durationMs(prune?.grace ?? "3d"),
      maxShare: prune?.maxShare ?? 0.1,
    },
    verification,
    assertions: (spec.assertions ?? []).map((a) => ({
      sql: a.sql,
      database: a.database ?? (typeof database === "string" ? database : ""),
    })),
    canaryEveryMs: durationMs(spec.canaryEvery ?? "0s"),
    onDrift: spec.onDrift ?? "mend",
    coverage: {
      severity: spec.coverage?.severity ?? "warning",
      waivers: spec.coverage?.waivers ?? [],
    },
    deadlineMs: durationMs(spec.deadline ?? "6h"),
    ...(spec.replaces === undefined ? {} : { replaces: spec.replaces }),
  };
}

function scheduleOf(text: PolicyText["schedule"]): Schedule {
  if (text.cron !== undefined) return { kind: "cron", cron: text.cron, timeZone: text.timeZone ?? "Etc/UTC" };
  if (text.onChange === undefined) return { kind: "continuous" };
  return {
    kind: "change",
    debounceMs: durationMs(text.onChange.debounce ?? "5m"),
    atLeastEveryMs: durationMs(text.onChange.atLeastEvery ?? "1d"),
  };
}

function resolveLog(
  policy: string,
  key: string,
  text: LogText,
  lookup: Lookup,
  refer: Refer,
): LogSettings | undefined {
  const store = refer(lookup.stores, "Store", text.store.name, ["spec", key, "store", "name"]);
  const retention = refer(lookup.retention, "RetentionTable", text.retention, ["spec", key, "retention"]);
  if (store === undefined || retention === undefined) return undefined;
  return {
    mode: text.mode ?? "stream",
    store: referenceOf(text.store),
    retention,
    pushEveryMs: durationMs(text.pushEvery ?? "2s"),
    // Server names know no dashes and end at 63 bytes.
    slot: text.slot ?? `holdfast_${policy.replaceAll("-", "_")}`.slice(0, 63),
  };
}

function referenceOf(text: StoreReferenceText): StoreReference {
  return { name: text.name, prefix: text.prefix ?? "" };
}
