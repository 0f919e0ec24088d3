/**
 * A schedule of Velero's own that is kept as the policy says: which fields, how they differ from what the cluster
 * holds, and whether the backups it begins come and complete. Pure.
 */
import type { Policy } from "../../policy/model.ts";
import type { Drift } from "../../state/job.ts";
import { parseCron, widestGapMs } from "../../time/cron.ts";
import { formatDuration, parseDuration } from "../../time/duration.ts";
import { formatZonedCron, parseZonedCron } from "../../time/zoned-cron.ts";
import type { KubeObject } from "./cluster.ts";
import { scheduleSetting, writerOf } from "./drift.ts";
import { veleroApi } from "./objects.ts";
import { settingsOf } from "./settings.ts";

export const heldMethod = "velero-schedule";
const dayMs = 86_400_000;
const lookAheadDays = 400;
/** A backup takes a while: half a gap more than the schedule's widest. */
const patience = 1.5;

export interface HeldSchedule {
  readonly name: string;
  readonly paused: boolean;
  readonly cron: string;
  readonly timeZone: string;
  /** Fields of the template that the policy says; the others stay as the cluster has them. */
  readonly template: Readonly<Record<string, unknown>>;
}

export interface HeldFound {
  readonly schedule: KubeObject | undefined;
  readonly location: KubeObject | undefined;
  /** Newest backup the schedule has begun. */
  readonly newest: KubeObject | undefined;
  readonly nowMs: number;
}

/** Undefined for a policy that makes points of its own. */
export function heldScheduleOf(policy: Policy): HeldSchedule | undefined {
  const { capture, schedule } = policy;
  if (capture.method !== heldMethod || schedule.kind !== "cron") return undefined;
  const { options } = capture;
  const said = (name: string, fields: Readonly<Record<string, unknown>>) =>
    options[name] === undefined ? {} : fields;
  const settings = settingsOf(policy);
  return {
    name: settings.schedule,
    paused: policy.suspended,
    cron: schedule.cron,
    timeZone: schedule.timeZone,
    template: {
      ...said("includedNamespaces", { includedNamespaces: settings.includedNamespaces }),
      ...said("includedResources", { includedResources: settings.includedResources }),
      ...said("includeClusterResources", { includeClusterResources: settings.includeClusterResources }),
      ...said("persistentVolumes", { defaultVolumesToFsBackup: settings.persistentVolumes }),
      ...said("storageLocation", { storageLocation: settings.storageLocation }),
      ...said("ttl", { ttl: veleroDuration(settings.ttl) }),
    },
  };
}

/** What is applied where it differs: our fields and no others. */
export function heldObject(held: HeldSchedule, namespace: string): KubeObject {
  return {
    apiVersion: veleroApi,
    kind: "Schedule",
    metadata: { name: held.name, namespace },
    spec: { schedule: formatZonedCron(held), paused: held.paused, template: held.template },
  };
}

/** Every field that differs, and what keeps the schedule from working. */
export function heldDrift(held: HeldSchedule, found: HeldFound): readonly Drift[] {
  const { schedule } = found;
  const place = heldLocationDrift(held, found);
  if (schedule === undefined) {
    const missing = fieldDrift(scheduleSetting, "there", "not there", held, "");
    return [...place, { ...missing, severity: "critical", consequence: "no backup is made at all" }];
  }
  const spec = schedule.spec ?? {};
  const template = (spec["template"] ?? {}) as Readonly<Record<string, unknown>>;
  const writer = writerOf(schedule.metadata.managedFields ?? []);
  const fields = [
    ["schedule", formatZonedCron(held), normalCron(spec["schedule"])],
    ["paused", held.paused, spec["paused"] === true],
    ...Object.entries(held.template).map(([name, wanted]) => [
      `template.${name}`,
      normal(name, wanted, held, found),
      normal(name, template[name], held, found),
    ]),
  ] as const;
  const differing = fields.flatMap(([field, wanted, is]) =>
    JSON.stringify(wanted) === JSON.stringify(is)
      ? []
      : [fieldDrift(`${scheduleSetting}.${String(field)}`, textOf(wanted), textOf(is), held, writer)],
  );
  return [...place, ...differing, ...workDrift(held, schedule, found)];
}

function fieldDrift(setting: string, wanted: string, is: string, held: HeldSchedule, writer: string): Drift {
  return {
    setting,
    wanted,
    found: `${is}${writer}`,
    consequence: "Velero's backups are not what the policy says",
    mend: `holdfast apply, or kubectl edit schedule.velero.io ${held.name}`,
    mendable: true,
    severity: "warning",
  };
}

function heldLocationDrift(held: HeldSchedule, { location }: HeldFound): readonly Drift[] {
  const name = held.template["storageLocation"];
  if (location !== undefined || name === undefined) return [];
  return [
    {
      setting: "velero.storageLocation",
      wanted: `a location '${String(name)}'`,
      found: "none",
      consequence: "the schedule's backups have nowhere to go",
      mend: `velero backup-location create ${String(name)} …`,
      mendable: false,
      severity: "critical",
    },
  ];
}

/** A schedule that Velero refuses, and backups that fail or stay away. */
function workDrift(held: HeldSchedule, schedule: KubeObject, { newest, nowMs }: HeldFound): readonly Drift[] {
  const told = (wanted: string, is: string, mend: string): Drift => ({
    setting: `${scheduleSetting} ${held.name}`,
    wanted,
    found: is,
    consequence: "the newest state of the cluster is in no backup",
    mend,
    mendable: false,
    severity: "critical",
  });
  const drifts: Drift[] = [];
  if (schedule.status?.["phase"] === "FailedValidation") {
    const errors = (schedule.status["validationErrors"] ?? []) as readonly string[];
    drifts.push(told("accepted by Velero", errors.join("; "), `velero schedule describe ${held.name}`));
  }
  const phase = String(newest?.status?.["phase"] ?? "");
  if (/Failed/.test(phase)) {
    const name = newest?.metadata.name ?? "";
    drifts.push(told("backups that complete", `${name}: ${phase}`, `velero backup describe ${name}`));
  }
  const sinceText = schedule.status?.["lastBackup"] ?? schedule.metadata.creationTimestamp;
  const sinceMs = Date.parse(String(sinceText ?? ""));
  const limitMs = widestGap(held, nowMs) * patience;
  if (!held.paused && nowMs - sinceMs > limitMs) {
    const age = formatDuration(nowMs - sinceMs);
    const wanted = `a backup every ${formatDuration(limitMs / patience)}`;
    drifts.push(told(wanted, `none for ${age}`, "kubectl --namespace velero logs deployment/velero"));
  }
  return drifts;
}

/** As Velero itself writes a ttl: `720h0m0s`. */
function veleroDuration(text: string): string {
  const seconds = Math.round((parseDuration(text) ?? 0) / 1000);
  return `${Math.floor(seconds / 3600)}h${Math.floor(seconds / 60) % 60}m${seconds % 60}s`;
}

function widestGap({ cron, timeZone }: HeldSchedule, nowMs: number): number {
  const parsed = parseCron(cron);
  return "error" in parsed ? dayMs : widestGapMs(parsed, timeZone, nowMs, lookAheadDays);
}

function normalCron(text: unknown): string {
  const parsed = parseZonedCron(String(text ?? ""));
  return parsed === undefined ? String(text ?? "") : formatZonedCron(parsed);
}

/** One spelling of what Velero takes for the same. */
function normal(field: string, value: unknown, held: HeldSchedule, { location }: HeldFound): unknown {
  switch (field) {
    case "includedNamespaces":
    case "includedResources": {
      const names = Array.isArray(value) ? value.map(String).sort() : [];
      return names.length === 0 ? ["*"] : names;
    }
    case "ttl": {
      const ms = parseDuration(String(value ?? ""));
      return ms === undefined ? "" : formatDuration(ms);
    }
    case "defaultVolumesToFsBackup":
      return value === true;
    case "storageLocation":
      // Velero takes the location marked as the usual one where none is named.
      return (value ?? "") === "" && (location === undefined || isUsual(location))
        ? held.template["storageLocation"]
        : value;
    default:
      return value;
  }
}

function isUsual({ spec, metadata }: KubeObject): boolean {
  return spec?.["default"] === true || metadata.name === "default";
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "not set");
}
