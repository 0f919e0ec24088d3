/**
 * From sound documents to the policy set: references followed, defaults filled in, texts turned into
 * numbers. The defaults are those the schemas name; a test compares the two.
 */
import type { Location } from "../finding.ts";
import type {
  AlertRule,
  Checklist,
  DocumentKind,
  KeyRecipient,
  PolicySet,
  Receiver,
  ReconcilerSettings,
  RetentionRow,
  StoreCredentials,
  StoreSettings,
  Waiver,
  YamlPath,
} from "./model.ts";
import { suggest } from "./nearest.ts";
import { durationMs, type Lookup, type Refer, resolvePolicy } from "./resolve-policy.ts";
import type {
  AlertText,
  CheckText,
  CredentialsText,
  Entry,
  ReconcilerText,
  StoreText,
} from "./yaml-shapes.ts";

export interface ResolveContext {
  readonly place: (entry: Entry, path: YamlPath) => Location;
  /** Some document of the kind could not be read; a missing name says nothing then. */
  readonly isBroken: (kind: DocumentKind) => boolean;
  readonly fault: (entry: Entry, path: YamlPath, rule: string, message: string, hint: string) => void;
}

/** The set the documents describe. Duplicates and unknown references go to `context.fault`. */
export function resolve(entries: readonly Entry[], context: ResolveContext): PolicySet {
  const of = (kind: DocumentKind) => entries.filter((e) => e.kind === kind);
  const retention = named<RetentionRow>(of("RetentionTable"), "rows", context);
  const keys = named<KeyRecipient>(of("KeyRing"), "keys", context);
  const receivers = named<Receiver>(of("AlertTable"), "receivers", context);
  const stores = new Map(of("Store").map((e) => [e.name, storeOf(e)]));
  const checklists = new Map(of("VerificationChecklist").map((e) => [e.name, checklistOf(e)]));
  const lookup: Lookup = { retention, keys, stores, checklists };
  const policies = of("BackupPolicy").flatMap((entry) => {
    const complain = refer(entry, context);
    const policy = resolvePolicy(entry, lookup, complain);
    return policy === undefined ? [] : [policy];
  });
  const reconciler = reconcilerOf(of("Reconciler"), context);
  return {
    policies,
    stores: [...stores.values()],
    keys: [...keys.values()],
    retention: [...retention.values()],
    checklists: [...checklists.values()],
    alerts: of("AlertTable").flatMap((e) => alertsOf(e, receivers, context)),
    receivers: [...receivers.values()],
    ...(reconciler === undefined ? {} : { reconciler }),
    waivers: entries.flatMap((e) => waiversOf(e, context)),
  };
}

/** Looks a name up and complains, with the nearest known one, when it is not there. */
function refer(entry: Entry, context: ResolveContext): Refer {
  const words: Readonly<Record<DocumentKind, string>> = {
    BackupPolicy: "policy",
    RetentionTable: "row of a retention table",
    VerificationChecklist: "verification checklist",
    AlertTable: "receiver",
    Store: "store",
    KeyRing: "key",
    Reconciler: "reconciler",
  };
  return (known, kind, name, path) => {
    const found = known.get(name);
    if (found === undefined && !context.isBroken(kind)) {
      const message = `there is no ${words[kind]} called '${name.slice(0, 63)}'`;
      context.fault(entry, path, "reference/unknown", message, suggest(name, [...known.keys()]));
    }
    return found;
  };
}

function named<T extends { readonly name: string }>(
  entries: readonly Entry[],
  field: string,
  context: ResolveContext,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const entry of entries) {
    const items = (entry.value[field] ?? []) as readonly T[];
    items.forEach((item, i) => {
      if (found.has(item.name)) {
        const message = `'${item.name}' is defined a second time in ${field}`;
        context.fault(
          entry,
          [field, i, "name"],
          "reference/duplicate",
          message,
          "give one of them another name",
        );
      } else found.set(item.name, item);
    });
  }
  return found;
}

function storeOf(entry: Entry): StoreSettings {
  const spec = entry.value["spec"] as StoreText;
  const region = spec.region ?? "us-east-1";
  const { write, read, verdict, delete: remove } = spec.credentials ?? {};
  return {
    name: entry.name,
    type: spec.type,
    failureDomain: spec.failureDomain,
    endpoint: spec.endpoint ?? (spec.type === "s3" ? `https://s3.${region}.amazonaws.com` : ""),
    region,
    bucket: spec.bucket ?? "",
    forcePathStyle: spec.forcePathStyle ?? false,
    credentials: {
      ...(write === undefined ? {} : { write: credentialsOf(write) }),
      ...(read === undefined ? {} : { read: credentialsOf(read) }),
      ...(verdict === undefined ? {} : { verdict: credentialsOf(verdict) }),
      ...(remove === undefined ? {} : { delete: credentialsOf(remove) }),
    },
    objectLock: { mode: spec.objectLock?.mode ?? "none", days: spec.objectLock?.days ?? 0 },
    path: spec.path ?? "",
  };
}

function credentialsOf(text: CredentialsText): StoreCredentials {
  return {
    accessKeyId: text.accessKeyIdFrom,
    secretAccessKey: text.secretAccessKeyFrom,
    ...(text.sessionTokenFrom === undefined ? {} : { sessionToken: text.sessionTokenFrom }),
  };
}

function checklistOf(entry: Entry): Checklist {
  const checks = entry.value["checks"] as readonly CheckText[];
  return {
    name: entry.name,
    checks: checks.map((c) => ({
      name: c.name,
      level: c.level,
      everyMs: durationMs(c.every),
      automated: c.automated ?? "yes",
    })),
    minimumSizeRatio: (entry.value["minimumSizeRatio"] as number | undefined) ?? 0.8,
    escrowEveryMs: durationMs((entry.value["escrowEvery"] as string | undefined) ?? "180d"),
  };
}

function alertsOf(
  entry: Entry,
  receivers: ReadonlyMap<string, Receiver>,
  context: ResolveContext,
): readonly AlertRule[] {
  const alerts = entry.value["alerts"] as readonly AlertText[];
  const look = refer(entry, context);
  return alerts.map((alert, i) => {
    const names = alert.receivers ?? [];
    names.forEach((name, j) => {
      look(receivers, "AlertTable", name, ["alerts", i, "receivers", j]);
    });
    return { ...alert, receivers: names };
  });
}

function reconcilerOf(entries: readonly Entry[], context: ResolveContext): ReconcilerSettings | undefined {
  const [entry, ...others] = entries;
  for (const other of others) {
    context.fault(
      other,
      ["kind"],
      "reference/duplicate",
      "a second Reconciler; a policy set has one",
      "remove one of them",
    );
  }
  if (entry === undefined) return undefined;
  const spec = entry.value["spec"] as ReconcilerText;
  const branch = spec.repository.branch ?? "main";
  return {
    name: entry.name,
    cluster: spec.cluster,
    repository: { url: spec.repository.url, branch, path: spec.repository.path ?? "policies" },
    pollEveryMs: durationMs(spec.pollEvery ?? "1m"),
    reports: {
      cron: spec.reports?.cron ?? "0 6 * * 1",
      timeZone: spec.reports?.timeZone ?? "Etc/UTC",
      path: spec.reports?.path ?? "reports",
      branch: spec.reports?.branch ?? branch,
      overdueMs: durationMs(spec.reports?.overdue ?? "8d"),
    },
    listen: { host: spec.listen?.host ?? "127.0.0.1", port: spec.listen?.port ?? 9808 },
    maxParallelRuns: spec.maxParallelRuns ?? 2,
    requireReview: spec.requireReview ?? false,
    platform: spec.platform ?? { kind: "local" },
  };
}

function waiversOf(entry: Entry, context: ResolveContext): readonly Waiver[] {
  const { waivers = [] } = entry.value["metadata"] as {
    waivers?: readonly Omit<Waiver, "document" | "location">[];
  };
  return waivers.map((waiver, i) => ({
    ...waiver,
    document: entry.name,
    location: context.place(entry, ["metadata", "waivers", i]),
  }));
}
