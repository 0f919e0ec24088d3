/** Velero's schedules become policies that keep them as they are; its storage locations become stores. */
import type { Policy } from "../policy/model.ts";
import { formatDuration, parseDuration } from "../time/duration.ts";
import { parseZonedCron } from "../time/zoned-cron.ts";
import { fieldsAt, fieldsOf, nameOf, type ObjectName, textOf, textsOf, titleOf } from "./fields.ts";
import type { Fields } from "./found.ts";
import { placeOf, prefixBeside } from "./locations.ts";
import type { Outcome, Shared } from "./outcome.ts";
import { policyDocument } from "./policy-document.ts";
import { promisesOf } from "./promises.ts";

const dayMs = 86_400_000;
/** Velero's own where a schedule says none. */
const usualTtlMs = 30 * dayMs;
const method = "velero-schedule";
/** Fields of the template a policy says; `metadata` is about labels, and drift looks at those. */
const said = new Set([
  ...["includedNamespaces", "includedResources", "includeClusterResources", "defaultVolumesToFsBackup"],
  ...["ttl", "storageLocation", "metadata"],
]);

export function adoptSchedule(schedule: Fields, locations: readonly Fields[], shared: Shared): Outcome {
  const id = nameOf(schedule);
  const title = titleOf("Schedule", id);
  const not = (reason: string): Outcome => ({ not: { what: title, reason } });
  const spec = fieldsOf(schedule["spec"]);
  const template = fieldsOf(spec["template"]);
  const owner = shared.known.policies.find((policy) => isOf(policy, id));
  if (owner !== undefined) return not(`policy '${owner.name}' is about it already`);
  if (spec["paused"] === true) return not("it is paused and makes no backups");
  const cron = parseZonedCron(textOf(spec["schedule"]) ?? "");
  if (cron === undefined) return not("its schedule is no cron line that a policy can say (such as @every)");
  const namespaces = textsOf(template["includedNamespaces"]);
  if (!namespaces.every((name) => /^[*a-z0-9.-]{1,63}$/.test(name)))
    return not("its namespaces have no shape of names");
  const place = placeOf(locations, id.namespace, textOf(template["storageLocation"]));
  if (typeof place === "string") return not(place);
  const ttlMs = parseDuration(textOf(template["ttl"]) ?? "");
  const keptMs = ttlMs === undefined || ttlMs === 0 ? usualTtlMs : ttlMs;
  const promises = promisesOf(cron, Math.max(1, Math.floor(keptMs / dayMs)), shared.nowMs);
  if (promises === undefined) return not("its schedule never comes");

  const name = shared.names.take(`velero-${id.name}`, `velero-${id.namespace}-${id.name}`);
  const store = shared.tables.store(place.address);
  const document = policyDocument({
    name,
    description: `Velero's own schedule '${id.name.slice(0, 253)}', kept as it is`,
    origin: `schedule/${id.namespace}/${id.name}`,
    component: "kubernetes",
    method,
    failureDomain: shared.failureDomain,
    connection: { namespace: id.namespace },
    options: optionsOf(template, { schedule: id.name, location: place.name, ttlMs }),
    cron,
    promises,
    store: { name: store.name, prefix: prefixBeside(place, name) },
    recipients: [],
    row: shared.tables.row(promises.days),
    checklist: shared.tables.checklist(),
    nowMs: shared.nowMs,
  });
  return {
    made: {
      document,
      summary: {
        policy: name,
        from: title,
        kind: "held",
        findings: [...findingsOf(template, ttlMs), ...store.findings],
      },
    },
  };
}

function isOf(policy: Policy, { namespace, name }: ObjectName): boolean {
  const { connection, capture } = policy;
  return capture.options["schedule"] === name && (connection["namespace"] ?? "velero") === namespace;
}

function optionsOf(
  template: Fields,
  known: { readonly schedule: string; readonly location: string; readonly ttlMs: number | undefined },
): Readonly<Record<string, unknown>> {
  const namespaces = textsOf(template["includedNamespaces"]);
  const resources = textsOf(template["includedResources"]);
  const shared = template["includeClusterResources"];
  return {
    schedule: known.schedule,
    includedNamespaces: namespaces.length === 0 ? ["*"] : namespaces,
    ...(resources.length === 0 ? {} : { includedResources: resources }),
    ...(typeof shared === "boolean" ? { includeClusterResources: shared } : {}),
    persistentVolumes: template["defaultVolumesToFsBackup"] === true,
    ...(known.ttlMs === undefined || known.ttlMs === 0 ? {} : { ttl: formatDuration(known.ttlMs) }),
    storageLocation: known.location,
  };
}

function findingsOf(template: Fields, ttlMs: number | undefined): readonly string[] {
  const others = Object.keys(template)
    .filter((field) => !said.has(field) && !isEmpty(template[field]))
    .map((field) => field.replaceAll(/\W/g, "?").slice(0, 60));
  return [
    "Velero goes on making the backups and Holdfast proves none of them: capture.method velero instead of velero-schedule makes points that are proved, and a plan then shows what changes",
    "objectives.rto is a proposal: say how long a restore may take; owner and failureDomain are for you to say",
    ...(ttlMs === undefined || ttlMs === 0
      ? ["it names no ttl; the keep row has Velero's usual thirty days, and a server can be set otherwise"]
      : []),
    ...(others.length === 0
      ? []
      : [`stays as the cluster has it, because a policy does not say it: ${others.slice(0, 20).join(", ")}`]),
    ...(fieldsAt(template, "hooks")["resources"] === undefined
      ? []
      : ["its hooks run commands in pods; the velero method has none"]),
  ];
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0)
  );
}
