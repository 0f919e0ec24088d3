/** Backup jobs of somebody else's become proposals; what cannot be read off them is said, and never guessed. */

import type { ZonedCron } from "../time/zoned-cron.ts";
import type { NotAdopted } from "./adoption.ts";
import { databaseTools } from "./databases.ts";
import { destinationOf } from "./destination.ts";
import type { Fields } from "./found.ts";
import { type Place, placeOf, prefixBeside } from "./locations.ts";
import { otherTools } from "./others.ts";
import type { Made, Outcome, Shared } from "./outcome.ts";
import { isCarried, policyDocument } from "./policy-document.ts";
import { type Promises, promisesOf } from "./promises.ts";
import type { Sighting, SourceReading, Tool } from "./reading.ts";
import { baseName } from "./shell.ts";
import { readWorkload, type Workload } from "./workload.ts";

/** Proposed: how long a foreign job keeps its backups stands nowhere. */
const keptDays = 30;
/** A job that carries a dump away uses these too, so they are asked last. */
const tools: readonly Tool[] = [...databaseTools, ...otherTools];
const replaceable = /^[a-z0-9][-a-z0-9.]{0,252}\/[a-z0-9][-a-z0-9.]{0,252}$/;
const namedLikeOne = /backup|dump|snapshot|restic|borg|kopia|velero/i;

/** Undefined for a job that makes no backup as far as anybody can tell. */
export function adoptCronJob(
  object: Fields,
  locations: readonly Fields[],
  shared: Shared,
): Outcome | undefined {
  const workload = readWorkload(object);
  const seen = recognise(workload);
  const { title } = workload;
  if (seen === undefined) {
    const isLikely = [workload.name, ...workload.images].some((text) => namedLikeOne.test(text));
    return isLikely
      ? not(title, "it is named like a backup, and its commands are none that are known here")
      : undefined;
  }
  const { tool, sighting } = seen;
  const reading = tool.read(sighting);
  const target = targetOf(workload, reading, locations);
  const recipients = isCarried(reading) ? [] : shared.tables.keys.names();
  const cron = workload.schedule;
  const promises = cron === undefined ? undefined : promisesOf(cron, keptDays, shared.nowMs);
  const lacks = [
    ...(workload.suspended ? ["a schedule: it is suspended"] : []),
    ...(promises === undefined ? [`a schedule that comes: '${plain(workload.scheduleText)}'`] : []),
    ...reading.missing,
    ...(typeof target === "string" ? [target] : []),
    ...(recipients === undefined
      ? ["keys to encrypt to: holdfast key new, then adopt with --runner and --escrow"]
      : []),
  ];
  if (cron === undefined || promises === undefined || typeof target === "string" || lacks.length > 0)
    return not(title, `${tool.title}; a policy needs ${lacks.join("; ")}`);
  return { made: propose({ tool, sighting, target, recipients: recipients ?? [], cron, promises }, shared) };
}

interface Proposal {
  readonly tool: Tool;
  readonly sighting: Sighting;
  readonly target: Target;
  readonly recipients: readonly string[];
  readonly cron: ZonedCron;
  readonly promises: Promises;
}

function propose({ tool, sighting, target, recipients, cron, promises }: Proposal, shared: Shared): Made {
  const { workload } = sighting;
  const { namespace, title } = workload;
  const policy = shared.names.take(workload.name, `${namespace}-${workload.name}`);
  // Variables of its own are called after the name, which is given only now.
  const reading = tool.read({ ...sighting, policy });
  const { options, schedule } = reading;
  const store = shared.tables.store(target.address);
  if (recipients.length > 0) shared.tables.keys.use();
  const replaces = `${namespace}/${workload.name}`;
  const document = policyDocument({
    name: policy,
    description: `proposed for ${title} (${tool.title})`,
    origin: `cronjob/${replaces}`,
    component: reading.component,
    method: reading.method,
    failureDomain: shared.failureDomain,
    connection: reading.connection,
    ...(options === undefined ? {} : { options }),
    cron,
    ...(schedule === undefined ? {} : { schedule }),
    promises: schedule === undefined ? promises : replicated(promises),
    store: { name: store.name, prefix: target.prefix(policy) },
    recipients,
    row: shared.tables.row(promises.days),
    checklist: shared.tables.checklist(),
    ...(replaceable.test(replaces) ? { replaces } : {}),
    nowMs: shared.nowMs,
  });
  const findings = [
    ...reading.findings,
    `how long its backups are kept stands nowhere: the row keeps ${promises.days} days; objectives.rto is a proposal`,
    ...(workload.isZoneAssumed
      ? ["it names no time zone; UTC is taken, which a controller can be set otherwise"]
      : []),
    ...store.findings,
  ];
  const suspend = `kubectl --namespace ${plain(namespace)} patch cronjob ${plain(workload.name)} --patch '{"spec":{"suspend":true}}'`;
  return {
    document,
    summary: { policy, from: title, kind: "proposed", findings, stillRuns: { what: title, suspend } },
  };
}

/** Replication is asked how far it is behind, not how long ago it was. */
function replicated(promises: Promises): Promises {
  return { ...promises, objectives: { ...promises.objectives, rpo: "15m" } };
}

function not(what: string, reason: string): { readonly not: NotAdopted } {
  return { not: { what, reason } };
}

/** What stands in a command for a person to copy. */
function plain(text: string): string {
  return text.replaceAll(/[^\w.*/, =-]/g, "?").slice(0, 253);
}

/** The first tool, in their order, that one of the commands or else an image tells of. */
function recognise(workload: Workload): { readonly tool: Tool; readonly sighting: Sighting } | undefined {
  for (const tool of tools) {
    for (const command of workload.commands) {
      const at = command.words.findIndex(({ text }) => tool.programs.test(baseName(text)));
      const args = command.words.slice(at + 1);
      if (at < 0 || !tool.isBackup(args)) continue;
      return { tool, sighting: { workload, command, args, policy: "" } };
    }
  }
  const tool = tools.find((t) => workload.images.some((image) => t.images?.test(baseName(image)) === true));
  if (tool === undefined) return undefined;
  const command = { words: [], variables: workload.variables };
  return { tool, sighting: { workload, command, args: [], policy: "" } };
}

interface Target {
  readonly address: Place["address"];
  readonly prefix: (policy: string) => string;
}

function targetOf(workload: Workload, reading: SourceReading, locations: readonly Fields[]): Target | string {
  if (reading.location !== undefined) {
    const [namespace = "", name = ""] = reading.location.split("/");
    const place = placeOf(locations, namespace, name === "" ? undefined : name);
    if (typeof place === "string") return place;
    return { address: place.address, prefix: (policy) => prefixBeside(place, policy) };
  }
  const found = destinationOf(workload);
  if (found === undefined) return "a bucket: the job does not say in plain words where its bytes go";
  return {
    address: { ...found, forcePathStyle: found.endpoint !== "" },
    prefix: (policy) => `holdfast/${policy}/`,
  };
}
