/**
 * From what a cluster runs to policies: Holdfast's own as they were, Velero's schedules as they are, and proposals
 * for foreign backup jobs. Pure; nothing is written here, and no value of a secret is ever in what comes out.
 */
import type { ComponentKind } from "../component.ts";
import { lint } from "../lint/run.ts";
import type { PolicyFile } from "../policy/model.ts";
import { readPolicySet } from "../policy/read.ts";
import type { SchemaSet } from "../policy/schemas.ts";
import { writeYaml } from "../policy/write-yaml.ts";
import type { AdoptedFile, AdoptedPolicy, Adoption, NotAdopted } from "./adoption.ts";
import { nameOf, titleOf } from "./fields.ts";
import { adoptCronJob } from "./foreign.ts";
import type { ClusterFound } from "./found.ts";
import type { Recipients } from "./keys.ts";
import { Names } from "./names.ts";
import type { Made, Outcome, Shared } from "./outcome.ts";
import { compare, type Recovered, recover } from "./own.ts";
import { originLabel } from "./policy-document.ts";
import { Tables } from "./tables.ts";
import { adoptSchedule } from "./velero.ts";

export interface AdoptOptions {
  readonly schemas: SchemaSet;
  readonly builtKinds: readonly ComponentKind[];
  readonly nowMs: number;
  /** Where the sources run; empty when nobody has said it. */
  readonly failureDomain: string;
  readonly recipients: Recipients;
  /** YAML that is in the folder already; paths below it. */
  readonly existing: readonly PolicyFile[];
}

export function adopt(found: ClusterFound, options: AdoptOptions): Adoption {
  const own = recover(found.own);
  const paths = new Set(own.files.map((f) => f.path));
  // A file that is there already is judged once; whether it may be written is not asked here.
  const there = [...options.existing.filter((f) => !paths.has(f.path)), ...own.files];
  const before = readPolicySet(there, options.schemas);
  const adoptedBefore = new Set(
    before.entries.flatMap((e) => {
      const labels = (e.value["metadata"] as { labels?: Record<string, string> }).labels;
      return labels?.[originLabel] ?? [];
    }),
  );
  const shared: Shared = {
    known: before.set,
    names: new Names(before.set.policies.map((p) => p.name)),
    tables: new Tables(
      before.set,
      before.entries.filter((e) => /^(?:RetentionTable|KeyRing)$/.test(e.kind)).map((e) => e.name),
      options.recipients,
    ),
    failureDomain: options.failureDomain,
    nowMs: options.nowMs,
  };
  const made: Made[] = [];
  const notAdopted: NotAdopted[] = [
    ...own.notAdopted,
    ...found.unread.map(({ what, why }) => ({ what, reason: `not asked for: ${why}` })),
  ];
  const take = (outcome: Outcome | undefined): void => {
    if (outcome === undefined) return;
    if ("made" in outcome) made.push(outcome.made);
    else notAdopted.push(outcome.not);
  };
  for (const schedule of sorted(found.schedules)) take(adoptSchedule(schedule, found.locations, shared));
  for (const job of sorted(found.cronJobs)) {
    const { namespace, name } = nameOf(job);
    if (adoptedBefore.has(`cronjob/${namespace}/${name}`))
      take({
        not: { what: titleOf("CronJob", { namespace, name }), reason: "a policy is about it already" },
      });
    else take(adoptCronJob(job, found.locations, shared));
  }
  const written = write(made, shared.tables, there);
  const judged = lint([...there, ...written], options.schemas, { nowMs: options.nowMs });
  const ownJobs =
    own.found === undefined ? undefined : compare(own.found, judged.reading.set, made, options.builtKinds);
  return {
    files: [...own.files.filter((f) => !isKept(f, options.existing)), ...written],
    policies: [...recovered(own, options.schemas), ...made.map((m) => m.summary)],
    notAdopted,
    ...(ownJobs === undefined ? {} : { own: ownJobs }),
    lint: judged.findings,
  };
}

function sorted<T extends Parameters<typeof nameOf>[0]>(objects: readonly T[]): readonly T[] {
  const key = (object: T): string => Object.values(nameOf(object)).join("/");
  return [...objects].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Byte for byte what the folder has. */
function isKept({ path, bytes }: AdoptedFile, existing: readonly PolicyFile[]): boolean {
  const before = existing.find((f) => f.path === path)?.bytes;
  return before?.length === bytes.length && bytes.every((byte, n) => byte === before[n]);
}

function recovered({ files, found }: Recovered, schemas: SchemaSet): readonly AdoptedPolicy[] {
  if (found === undefined) return [];
  const from = `Holdfast in ${found.namespace}`;
  const { policies } = readPolicySet(files, schemas).set;
  return policies.map((p) => ({ policy: p.name, from, kind: "recovered", findings: [] }));
}

/** One file for each policy with what is to be looked at on top, and the tables they share. */
function write(
  made: readonly Made[],
  tables: Tables,
  others: readonly { readonly path: string }[],
): readonly AdoptedFile[] {
  const taken = new Set(others.map((f) => f.path));
  const encoder = new TextEncoder();
  const pathFor = (name: string): string => {
    const free = [name, `adopted-${name}`].find((n) => !taken.has(`${n}.yaml`)) ?? numbered(name, taken);
    taken.add(`${free}.yaml`);
    return `${free}.yaml`;
  };
  return [
    ...made.map(({ summary, document }) => ({
      path: pathFor(summary.policy),
      bytes: encoder.encode(`${remarks(summary)}${writeYaml(document)}`),
    })),
    ...[...tables.documents()].map(([name, documents]) => ({
      path: pathFor(name),
      bytes: encoder.encode(documents.map((d) => writeYaml(d)).join("---\n")),
    })),
  ];
}

function numbered(name: string, taken: ReadonlySet<string>): string {
  for (let n = 2; ; n += 1) if (!taken.has(`${name}-${n}.yaml`)) return `${name}-${n}`;
}

function remarks({ from, findings }: AdoptedPolicy): string {
  const lines = [
    `Written by holdfast adopt from ${from}. To be looked at:`,
    ...findings.map((f) => `- ${f}`),
  ];
  return lines.map((line) => `# ${line.replaceAll(/[\0-\x1f\x7f]+/g, " ")}\n`).join("");
}
