/** Careful reading of objects nobody has checked: what is not of the wanted shape is not there. */
import type { Fields } from "./found.ts";

const longestText = 4096;
const longestList = 1000;

export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The object at the end of the path. */
export function fieldsAt(value: unknown, ...path: readonly string[]): Fields {
  return path.reduce<Fields>((at, key) => fieldsOf(at[key]), fieldsOf(value));
}

/** Undefined for anything but a text of a sensible length. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= longestText ? value : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, longestList) : [];
}

/** Texts of a list; what is none is left out. */
export function textsOf(value: unknown): readonly string[] {
  return listOf(value).flatMap((one) => textOf(one) ?? []);
}

export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

export function nameOf(object: Fields): ObjectName {
  const metadata = fieldsOf(object["metadata"]);
  return { namespace: textOf(metadata["namespace"]) ?? "", name: textOf(metadata["name"]) ?? "" };
}

/** Such as `CronJob shop/pg-dump`, without anything a terminal or a comment would obey. */
export function titleOf(kind: string, { namespace, name }: ObjectName): string {
  return `${kind} ${plainName(namespace)}/${plainName(name)}`;
}

function plainName(text: string): string {
  return text.replaceAll(/[^\w.-]/g, "?").slice(0, 253);
}
