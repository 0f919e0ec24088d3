/** What a foreign backup job tells about its source: what a policy needs, what it lacks, and what a person must know. */
import type { ComponentKind } from "../component.ts";
import { type ShellCommand, unknown, type Word } from "./shell.ts";
import type { Workload } from "./workload.ts";

/** A tool at work in a job. */
export interface Sighting {
  readonly workload: Workload;
  readonly command: ShellCommand;
  /** Words behind the program. */
  readonly args: readonly Word[];
  /** Name the policy will have; variables of its own are called after it. */
  readonly policy: string;
}

export interface SourceReading {
  readonly component: ComponentKind;
  readonly method: string;
  readonly connection: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Where it is not the job's own cron. */
  readonly schedule?: Readonly<Record<string, unknown>>;
  /** The storage location of Velero's the bytes go to. */
  readonly location?: string;
  /** Required and unknown: without these there is no policy. */
  readonly missing: readonly string[];
  readonly findings: readonly string[];
}

export interface Tool {
  /** As in `pg_dump`. */
  readonly title: string;
  readonly programs: RegExp;
  /** Images that do it by themselves, told by variables alone. */
  readonly images?: RegExp;
  /** Whether these words make a backup. */
  readonly isBackup: (args: readonly Word[]) => boolean;
  readonly read: (sighting: Sighting) => SourceReading;
}

/** Name of a variable that belongs to the policy alone. */
export function variableFor(policy: string, what: string): string {
  return `${policy
    .toUpperCase()
    .replaceAll("-", "_")
    .replace(/^(?=\d)/, "_")}_${what}`;
}

export interface Credential {
  /** Reference for the policy; undefined when the job has none either. */
  readonly from: { readonly env: string } | undefined;
  readonly findings: readonly string[];
}

const secretName = /pass|secret|token|key/i;

/**
 * Where the job's password or token comes from. Its value is never kept.
 * @param passed what a flag or an address gives it; undefined when none does
 */
export function credentialOf(
  { workload, command, policy }: Sighting,
  what: string,
  names: readonly string[],
  passed?: string,
): Credential {
  const env = variableFor(policy, what);
  const isHidden = passed?.includes(unknown) === true;
  const known = [...names, ...(isHidden ? [...workload.references.keys()].filter(isSecretName) : [])];
  const name = known.find((n) => command.variables.has(n));
  const reference = name === undefined ? undefined : workload.references.get(name);
  if (reference !== undefined) {
    const { kind, name: object, key } = reference;
    const where = `key '${key}' of ${kind} ${workload.namespace}/${object}`;
    return { from: { env }, findings: [`give the runs ${env}: the job takes it from ${where}`] };
  }
  if (
    (passed !== undefined && !isHidden) ||
    (name !== undefined && command.variables.get(name) !== undefined)
  ) {
    const clear = `a secret stands in the clear in the object (${what.toLowerCase()}); change it, and give the runs the new one as ${env}`;
    return { from: { env }, findings: [clear] };
  }
  if (isHidden) return { from: { env }, findings: [`give the runs ${env}: the job has it when it runs`] };
  if (workload.sources.length > 0) {
    const maybe = workload.sources.slice(0, 5).join(", ");
    return { from: { env }, findings: [`give the runs ${env}: the job may have it from ${maybe}`] };
  }
  return { from: undefined, findings: [] };
}

function isSecretName(name: string): boolean {
  return secretName.test(name);
}
