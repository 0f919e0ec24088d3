/** Conditions about what was found outside the catalogue: the store's marker, the source, the platform's jobs. */

import { formatSize } from "../size.ts";
import type { Condition } from "../state/health.ts";
import type { Run } from "../state/job.ts";
import { condition } from "./conditions.ts";
import type { Judged } from "./judge.ts";

/** The store cannot be reached, is somebody else's, or was not listed whole. */
export function judgeStore({ policy, store, catalogue }: Judged): readonly Condition[] {
  const { name } = policy;
  const found: Condition[] = [];
  const where = `store '${policy.store.name}' under '${policy.store.prefix}'`;
  if (store?.identity === "unreachable" || (store === undefined && catalogue === undefined)) {
    const why = store?.detail ? `: ${store.detail}` : "";
    const message = `${where} cannot be reached${why}; nothing is known of its points`;
    found.push(
      condition(name, "store-unreachable", message, "holdfast doctor looks at store and credentials"),
    );
  }
  if (store?.identity === "foreign") {
    const message = `${where} belongs to somebody else: ${store.detail}; nothing is deleted there`;
    found.push(condition(name, "store-identity", message, "give this policy a prefix of its own"));
  }
  if (store?.identity === "missing" && (catalogue?.points.length ?? 0) > 0) {
    const message = `${where} holds ${catalogue?.points.length} points and no marker; nothing is deleted there`;
    found.push(condition(name, "store-identity", message, "holdfast doctor says whose points they are"));
  }
  const { promisedLockDays = 0, lockDays } = store ?? {};
  if (lockDays !== undefined && lockDays < promisedLockDays) {
    const message = `${where} locks new objects for ${lockDays} days, its settings promise ${promisedLockDays}: whoever has the right to delete can delete them`;
    const hint = "set the bucket's default retention, and its mode, as the store's objectLock says";
    found.push(condition(name, "store-unlocked", message, hint));
  }
  if (catalogue !== undefined && !catalogue.complete) {
    const message = `the store was not listed whole: ${catalogue.remarks.join("; ") || "no reason given"}`;
    found.push(
      condition(name, "catalogue-incomplete", message, "run it again; until then nothing is deleted"),
    );
  } else if (catalogue !== undefined && catalogue.unreadable.length > 0) {
    const ids = catalogue.unreadable.map((u) => `${u.id} (${u.reason})`).join(", ");
    const message = `${catalogue.unreadable.length} points cannot be read: ${ids}`;
    found.push(condition(name, "catalogue-incomplete", message, `holdfast list ${name} shows the others`));
  }
  return found;
}

/** The source cannot be reached, differs from what the policy needs, or its log runs away. */
export function judgeSource({ policy, source }: Judged): readonly Condition[] {
  const { name } = policy;
  if (source === undefined) return [];
  if (!source.reachable) {
    const message = `the source cannot be reached: ${source.detail}`;
    return [
      condition(name, "source-unreachable", message, `check the address and rights, then holdfast doctor`),
    ];
  }
  const found: Condition[] = source.drift.map((d) =>
    condition(
      name,
      "source-drift",
      `${d.setting} is '${d.found}', the policy needs '${d.wanted}': ${d.consequence}`,
      d.mend,
      d.severity,
    ),
  );
  const flow = source.log;
  if (flow === undefined || policy.log === undefined) return found;
  if (flow.lost) {
    const message = "the source has dropped the log it kept for us: there is or will be a hole in it";
    found.push(
      condition(name, "log-slot-lost", message, `holdfast backup ${name} --full starts a new run of log`),
    );
  }
  const { behindBytes, retainedBytes, limitBytes } = flow;
  if (!flow.lost && limitBytes !== undefined && limitBytes > 0 && retainedBytes * 2 >= limitBytes) {
    const message = `the source keeps ${formatSize(retainedBytes)} of log for us and drops it at ${formatSize(limitBytes)}`;
    const severity = retainedBytes * 10 >= limitBytes * 9 ? "critical" : "warning";
    found.push(condition(name, "log-behind", message, `is holdfast wal ${name} running?`, severity));
  } else if (!flow.lost && !flow.idle && behindBytes >= manyBytes) {
    const message = `${formatSize(behindBytes)} of log are at the source and not yet in the store`;
    found.push(condition(name, "log-behind", message, `is holdfast wal ${name} running?`));
  }
  return found;
}

/** Sixteen segments of the usual size: more than one burst. */
const manyBytes = 256 * 1024 ** 2;

/** The newest finished run failed, or somebody else changed a job. */
export function judgeJobs({ policy, jobs }: Judged): readonly Condition[] {
  const { name } = policy;
  const found: Condition[] = [];
  if (policy.suspended) {
    const message = "the policy is suspended: nothing is captured, proved or deleted";
    found.push(condition(name, "suspended", message, "set suspended: false in its file"));
  }
  for (const { job, ours, runs } of jobs) {
    if (!ours) {
      const message = `job '${job.key}' was changed by somebody else`;
      found.push(condition(name, "job-drift", message, "holdfast plan shows what is put back"));
    }
    const last = runs.find((r) => r.outcome !== "running");
    if (last === undefined || last.outcome === "succeeded" || policy.suspended) continue;
    const kind = job.kind === "verify" ? "verification-failed" : "backup-failed";
    // A capture, the log and pruning all count as the backup failing; verifying is its own alert.
    if (job.kind === "report") continue;
    const message = `job '${job.key}' ${outcomeText(last)}`;
    const hint = `holdfast ${job.argv.join(" ")} shows it again`;
    found.push(condition(name, kind, message, hint, job.kind === "prune" ? "warning" : "critical"));
  }
  return found;
}

function outcomeText(run: Run): string {
  const at = `its run of ${run.slotAt}`;
  if (run.outcome === "lost") return `lost ${at}: the process vanished without a result`;
  const status = run.exitStatus === undefined ? "" : ` with exit status ${run.exitStatus}`;
  const why = [run.code, run.message].filter((t) => t !== undefined && t !== "").join(": ");
  return `failed in ${at}${status}${why === "" ? "" : `: ${why}`}`;
}
