/**
 * What differs between an object as we build it and as the server holds it, field by field, and who changed
 * it. Fields that the server fills in by itself are not drift; fields that somebody else has added are.
 */
import { fieldOwner } from "./names.ts";
import type { FieldTree, KubeObject } from "./shapes.ts";

export interface FieldDrift {
  /** Such as `spec.jobTemplate.spec.activeDeadlineSeconds`. */
  readonly field: string;
  /** JSON; undefined where we say nothing. */
  readonly wanted?: string;
  readonly found?: string;
  /** The field manager that owns it now, where it is not us. */
  readonly by?: string;
  readonly at?: string;
}

/** Differences below `spec` and in our labels and annotations; none when the object is as built. */
export function driftOf(built: KubeObject, live: KubeObject): readonly FieldDrift[] {
  const found: FieldDrift[] = [];
  compare(built["spec"], live["spec"], ["spec"], found);
  compare(built.metadata.labels, live.metadata.labels, ["metadata", "labels"], found);
  compare(built.metadata.annotations, live.metadata.annotations, ["metadata", "annotations"], found);
  for (const extra of foreignFields(built, live)) {
    if (!found.some((f) => extra.startsWith(f.field))) found.push({ field: extra });
  }
  return found.map((drift) => ({ ...drift, ...changedBy(live, drift.field) }));
}

/** One line for people. */
export function describeDrift(drift: FieldDrift): string {
  const { field, wanted, found, by, at } = drift;
  const what =
    wanted === undefined
      ? `${field} was added`
      : found === undefined
        ? `${field} is gone`
        : `${field} is ${found}, not ${wanted}`;
  return by === undefined ? what : `${what}; changed by '${by}'${at === undefined ? "" : ` at ${at}`}`;
}

function compare(wanted: unknown, found: unknown, path: readonly string[], into: FieldDrift[]): void {
  if (Array.isArray(wanted)) {
    const list = Array.isArray(found) ? found : [];
    const isNamed = [...wanted, ...list].every((e) => typeof nameOf(e) === "string");
    if (!isNamed) {
      if (wanted.length !== list.length) into.push(drift(path, wanted, found));
      else wanted.forEach((element, n) => void compare(element, list[n], [...path, String(n)], into));
      return;
    }
    for (const element of wanted) {
      const same = list.find((other) => nameOf(other) === nameOf(element));
      compare(element, same, [...path, String(nameOf(element))], into);
    }
    for (const other of list) {
      if (!wanted.some((element) => nameOf(element) === nameOf(other)))
        into.push(drift([...path, String(nameOf(other))], undefined, "present"));
    }
    return;
  }
  if (typeof wanted === "object" && wanted !== null) {
    if (found === undefined || found === null) {
      if (Object.keys(wanted).length > 0) into.push(drift(path, wanted, undefined));
      return;
    }
    for (const [key, value] of Object.entries(wanted)) {
      compare(value, (found as Record<string, unknown>)[key], [...path, key], into);
    }
    return;
  }
  if (wanted !== undefined && wanted !== found && !(wanted === 0 && found === undefined))
    into.push(drift(path, wanted, found));
}

function drift(path: readonly string[], wanted: unknown, found: unknown): FieldDrift {
  return {
    field: path.join("."),
    ...(wanted === undefined ? {} : { wanted: JSON.stringify(wanted) }),
    ...(found === undefined ? {} : { found: JSON.stringify(found) }),
  };
}

function nameOf(element: unknown): unknown {
  const fields = element as { name?: unknown; mountPath?: unknown } | null;
  return typeof element === "object" && fields !== null ? (fields.mountPath ?? fields.name) : undefined;
}

/** Leaf fields below `spec` that others own and we do not build. */
function foreignFields(built: KubeObject, live: KubeObject): readonly string[] {
  const fields: string[] = [];
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.manager === fieldOwner || entry.subresource !== undefined) continue;
    for (const path of leavesOf(entry.fieldsV1 ?? {}, [])) {
      if (path[0] === "spec" && valueAt(built, path) === undefined && valueAt(live, path) !== undefined)
        fields.push(path.join("."));
    }
  }
  return fields;
}

function changedBy(live: KubeObject, field: string): Pick<FieldDrift, "by" | "at"> {
  const owners = (live.metadata.managedFields ?? [])
    .filter((entry) => entry.manager !== fieldOwner && entry.subresource === undefined)
    .filter((entry) =>
      leavesOf(entry.fieldsV1 ?? {}, []).some((path) => {
        const leaf = path.join(".");
        return leaf === field || leaf.startsWith(`${field}.`) || field.startsWith(`${leaf}.`);
      }),
    )
    .sort((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1));
  const [newest] = owners;
  if (newest?.manager === undefined) return {};
  return { by: newest.manager, ...(newest.time === undefined ? {} : { at: newest.time }) };
}

function leavesOf(tree: FieldTree, path: readonly string[]): readonly (readonly string[])[] {
  const below = Object.entries(tree).filter(([part]) => part !== ".");
  if (below.length === 0) return [path];
  return below.flatMap(([part, child]) => leavesOf(child, [...path, plainPart(part)]));
}

/** `f:schedule` is a field, `k:{"name":"x"}` a list's element, `v:"x"` a set's. */
function plainPart(part: string): string {
  if (part.startsWith("f:")) return part.slice(2);
  if (!part.startsWith("k:")) return part;
  const key = JSON.parse(part.slice(2)) as Record<string, unknown>;
  return String(key["mountPath"] ?? key["name"] ?? part);
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  let at: unknown = object;
  for (const part of path) {
    if (Array.isArray(at)) at = at.find((element) => String(nameOf(element)) === part);
    else at = (at as Record<string, unknown> | null | undefined)?.[part];
  }
  return at;
}
