/** A CronJob of somebody else's as far as it tells what it backs up: its commands, its variables, its schedule. */
import { parseZonedCron, type ZonedCron } from "../time/zoned-cron.ts";
import { fieldsAt, fieldsOf, listOf, nameOf, type ObjectName, textOf, textsOf, titleOf } from "./fields.ts";
import type { Fields } from "./found.ts";
import { commandsOf, type ShellCommand, type Variables } from "./shell.ts";

/** Where the cluster keeps a value that is not in the object. */
export interface ValueReference {
  readonly kind: "Secret" | "ConfigMap";
  readonly name: string;
  readonly key: string;
}

export interface Workload extends ObjectName {
  /** Such as `CronJob shop/pg-dump`. */
  readonly title: string;
  readonly suspended: boolean;
  /** Undefined for a line nobody here can read. */
  readonly schedule: ZonedCron | undefined;
  /** As it stands in the object. */
  readonly scheduleText: string;
  /** The object names no zone, so the controller's own holds. */
  readonly isZoneAssumed: boolean;
  readonly images: readonly string[];
  readonly variables: Variables;
  readonly references: ReadonlyMap<string, ValueReference>;
  /** Secrets and ConfigMaps that become variables as a whole. */
  readonly sources: readonly string[];
  readonly commands: readonly ShellCommand[];
}

const mostContainers = 20;

export function readWorkload(object: Fields): Workload {
  const name = nameOf(object);
  const spec = fieldsOf(object["spec"]);
  const pod = fieldsAt(spec, "jobTemplate", "spec", "template", "spec");
  const containers = [...listOf(pod["initContainers"]), ...listOf(pod["containers"])]
    .slice(0, mostContainers)
    .map(fieldsOf);
  const variables = new Map<string, string | undefined>();
  const references = new Map<string, ValueReference>();
  const sources: string[] = [];
  for (const container of containers) {
    for (const entry of listOf(container["env"]).map(fieldsOf)) readVariable(entry, variables, references);
    for (const source of listOf(container["envFrom"])) {
      const secret = textOf(fieldsAt(source, "secretRef")["name"]);
      const map = textOf(fieldsAt(source, "configMapRef")["name"]);
      if (secret !== undefined) sources.push(`Secret ${secret}`);
      if (map !== undefined) sources.push(`ConfigMap ${map}`);
    }
  }
  const line = textOf(spec["schedule"]) ?? "";
  const zone = textOf(spec["timeZone"]);
  const parsed = parseZonedCron(zone === undefined ? line : `TZ=${zone} ${line}`);
  return {
    ...name,
    title: titleOf("CronJob", name),
    suspended: spec["suspend"] === true,
    schedule: parsed,
    scheduleText: line.slice(0, 100),
    isZoneAssumed: zone === undefined && !/TZ=/.test(line),
    images: containers.flatMap((c) => textOf(c["image"]) ?? []),
    variables,
    references,
    sources,
    commands: containers.flatMap((c) =>
      // Not `textsOf`: a word that was left out would move the others.
      commandsOf([...listOf(c["command"]), ...listOf(c["args"])].map(String), variables),
    ),
  };
}

function readVariable(
  entry: Fields,
  variables: Map<string, string | undefined>,
  references: Map<string, ValueReference>,
): void {
  const name = textOf(entry["name"]);
  if (name === undefined) return;
  const from = fieldsOf(entry["valueFrom"]);
  variables.set(name, textOf(entry["value"]));
  for (const [field, kind] of [
    ["secretKeyRef", "Secret"],
    ["configMapKeyRef", "ConfigMap"],
  ] as const) {
    const { name: object, key } = fieldsOf(from[field]);
    const [objectName, keyName] = textsOf([object, key]);
    if (objectName !== undefined && keyName !== undefined)
      references.set(name, { kind, name: objectName, key: keyName });
  }
}
