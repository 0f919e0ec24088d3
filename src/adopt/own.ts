/** Holdfast's own: the policies it has put into the cluster for its runs, and how its jobs compare with them. */
import type { ComponentKind } from "../component.ts";
import { changedFields } from "../plan/changed.ts";
import { desiredJobs } from "../plan/jobs.ts";
import type { PolicySet } from "../policy/model.ts";
import type { AdoptedFile, NotAdopted, OwnJobs } from "./adoption.ts";
import { titleOf } from "./fields.ts";
import type { OwnFound } from "./found.ts";
import type { Made } from "./outcome.ts";

export interface Recovered {
  readonly files: readonly AdoptedFile[];
  readonly found?: OwnFound;
  readonly notAdopted: readonly NotAdopted[];
}

/** The policies Holdfast itself has put into the cluster for its runs, file by file. */
export function recover(found: readonly OwnFound[]): Recovered {
  const own = withDrills(found);
  const notAdopted = own.flatMap((o) => [
    ...o.unreadable.map((name) => ({
      what: titleOf("CronJob", { namespace: o.namespace, name }),
      reason: "it has Holdfast's label, and no definition that can be read",
    })),
    ...(o.bundle === undefined ? jobsWithout(o) : []),
  ]);
  const whole = own.filter((o) => o.bundle !== undefined);
  const [only] = whole;
  if (whole.length > 1) {
    const reason = "two installations in one cluster are two repositories; name one with --namespace";
    return {
      files: [],
      notAdopted: [...notAdopted, ...whole.map((o) => ({ what: `Holdfast in ${o.namespace}`, reason }))],
    };
  }
  if (only?.bundle === undefined) return { files: [], notAdopted };
  const { files } = only.bundle;
  const unsafe = files.find((f) => !isSafe(f.path));
  if (unsafe !== undefined) {
    const reason = "the policies in its ConfigMap have a path that leads out of a folder";
    return { files: [], notAdopted: [...notAdopted, { what: `Holdfast in ${only.namespace}`, reason }] };
  }
  const folder = sharedFolder(files.map((f) => f.path));
  return {
    files: files.map((f) => ({ path: f.path.slice(folder.length), bytes: f.bytes })),
    found: only,
    notAdopted,
  };
}

/** Drills run in a namespace of their own with the same policies: both are one installation, called by the other. */
function withDrills(found: readonly OwnFound[]): readonly OwnFound[] {
  const isApart = (o: OwnFound): boolean => o.jobs.length > 0 && o.jobs.every((j) => j.apart !== undefined);
  const rest = found.filter((o) => !isApart(o));
  const drills = found.filter(isApart);
  const homeOf = (o: OwnFound) => rest.filter((home) => hasSamePolicies(home, o));
  const lonely = drills.filter((o) => homeOf(o).length !== 1);
  const joined = rest.map((home) => {
    const parts = [home, ...drills.filter((o) => homeOf(o).length === 1 && hasSamePolicies(home, o))];
    return {
      ...home,
      jobs: parts.flatMap((o) => o.jobs),
      unreadable: parts.flatMap((o) => o.unreadable),
      images: [...new Set(parts.flatMap((o) => o.images))],
      logLevels: [...new Set(parts.flatMap((o) => o.logLevels))],
    };
  });
  return [...joined, ...lonely];
}

function hasSamePolicies(a: OwnFound, b: OwnFound): boolean {
  const [one, two] = [a.bundle, b.bundle];
  return (
    one !== undefined &&
    two !== undefined &&
    one.revision === two.revision &&
    one.files.length === two.files.length &&
    one.files.every(
      (f, n) => f.path === two.files[n]?.path && Buffer.compare(f.bytes, two.files[n].bytes) === 0,
    )
  );
}

/** A job says when and what is run; where the bytes go, for how long and under which key stands in the policy alone. */
function jobsWithout({ namespace, jobs, bundleFault }: OwnFound): readonly NotAdopted[] {
  const policies = [...new Set(jobs.map((j) => j.policy))].sort();
  return policies.map((policy) => {
    const capture = jobs.find((j) => j.policy === policy && j.schedule.kind === "cron");
    const when =
      capture?.schedule.kind === "cron"
        ? `; ${capture.key} at '${capture.schedule.cron}' ${capture.schedule.timeZone}`
        : "";
    return {
      what: `jobs of policy ${policy} in ${namespace}`,
      reason: `${bundleFault ?? "the policies are not in the cluster"}, and a job does not say store, keys and objectives${when}`,
    };
  });
}

function isSafe(path: string): boolean {
  return (
    /^[^/\\\0-\x1f][^\\\0-\x1f]*\.ya?ml$/i.test(path) &&
    !path.split("/").some((part) => part === ".." || part === "." || part === "")
  );
}

/** The longest folder all paths begin with; empty or ending with a slash. */
function sharedFolder(paths: readonly string[]): string {
  let folder = paths[0]?.slice(0, (paths[0]?.lastIndexOf("/") ?? -1) + 1) ?? "";
  while (folder !== "" && !paths.every((path) => path.startsWith(folder)))
    folder = folder.slice(0, folder.lastIndexOf("/", folder.length - 2) + 1);
  return folder;
}

/** What a plan would make of Holdfast's own jobs; proposals are new by themselves and not told again. */
export function compare(
  own: OwnFound,
  set: PolicySet,
  made: readonly Made[],
  builtKinds: readonly ComponentKind[],
): OwnJobs {
  const proposed = new Set(made.map((m) => m.summary.policy));
  const wanted = desiredJobs(set, builtKinds).jobs.filter((j) => !proposed.has(j.policy));
  const held = new Map(own.jobs.map((j) => [j.key, j]));
  const differing = wanted.flatMap((job) => {
    const current = held.get(job.key);
    if (current === undefined)
      return [`${job.key}: the policies ask for it and the cluster does not have it`];
    const changed = changedFields(current, job);
    return changed.length === 0 ? [] : [`${job.key}: the policies say another ${changed.join(", ")}`];
  });
  const keys = new Set(wanted.map((j) => j.key));
  const gone = own.jobs.filter((j) => !keys.has(j.key)).map((j) => `${j.key}: no policy asks for it`);
  const [image = "", ...otherImages] = own.images;
  const others =
    otherImages.length === 0 ? [] : [`the runs have ${own.images.length} images: ${own.images.join(", ")}`];
  return {
    namespace: own.namespace,
    revision: own.bundle?.revision ?? "",
    image,
    logLevel: own.logLevels[0] ?? "",
    count: own.jobs.length,
    differing: [...differing, ...gone, ...others],
  };
}
