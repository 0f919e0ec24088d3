/** `holdfast run`: wires the loop, the local platform, the status server and the notifier together. */
import { resolve } from "node:path";
import { builtKinds } from "../engine/engines.ts";
import { HoldfastError } from "../errors.ts";
import { type FiredAlert, firedAlerts } from "../health/alerts.ts";
import { type Alert, openNotifier, type Undelivered } from "../notify/notifier.ts";
import { apply } from "../operate/apply.ts";
import { openConditionJournal } from "../operate/condition-journal.ts";
import { lookAround } from "../operate/look-around.ts";
import { type Observation, observe } from "../operate/observe.ts";
import { type LoopStatus, reconcile } from "../operate/reconcile.ts";
import { openStateFolder } from "../operate/state-folder.ts";
import { statusOf } from "../operate/status.ts";
import { plan as makePlan } from "../plan/plan.ts";
import type { Platform } from "../platform/platform.ts";
import type { PolicySet } from "../policy/model.ts";
import { describeAction } from "../report/plan-action.ts";
import type { Revision } from "../source/source.ts";
import type { Looks } from "../state/coverage.ts";
import { systemClock } from "../time/clock.ts";
import { complain, printJson } from "./console.ts";
import { openIssues } from "./issues.ts";
import { type SharedOptions, wireOptions } from "./options.ts";
import { readBundle, readSchemas } from "./policy-files.ts";
import { openPlatform, openSource } from "./reconciler.ts";
import { unreviewed } from "./review-gate.ts";
import {
  currentConditions,
  isPolling,
  pollEveryMs,
  type StatusFacts,
  type StatusServer,
  startStatusServer,
} from "./status-server.ts";
import { buildWorld, type WiredWorld } from "./wire.ts";

/** Each look lists the stores; between two of them an unchanged poll asks git alone. */
const observeEveryMs = 5 * 60_000;
const stopGraceMs = 20_000;
const tellEveryMs = 60_000;
/** A look lists everything the sources hold; between two of them a new revision alone asks for one. */
const lookEveryMs = 60 * 60_000;
const lookDueEveryMs = 10_000;

export interface RunnerOptions extends SharedOptions {
  readonly repository?: string;
  readonly branch: string;
  readonly path: string;
  readonly acceptRewritten?: string;
  readonly listen?: string;
  readonly once?: boolean;
  readonly platform?: string;
}

const noPolicies: PolicySet = {
  policies: [],
  stores: [],
  keys: [],
  retention: [],
  checklists: [],
  alerts: [],
  receivers: [],
  waivers: [],
};

/** Runs until a signal. @throws locked when another reconciler owns the state folder; usage without a repository */
export async function runReconciler(options: RunnerOptions): Promise<void> {
  const wiring = wireOptions(options);
  const folder = openStateFolder(resolve(options.state));
  const lock = await folder.lock();
  const schemas = await readSchemas();
  let bundle: string | undefined;
  let world: WiredWorld = await buildWorld(wiring, noPolicies, "");
  let seen: Observation | undefined;
  let looks = await folder.readLooks();
  let server: StatusServer | undefined;
  let leadership: Awaited<ReturnType<NonNullable<Platform["lead"]>>> | undefined;
  try {
    const { lint } = await import("../lint/run.ts");
    const use = async (path: string): Promise<void> => {
      const origin = await readBundle(path);
      const result = lint(origin.files, schemas, { nowMs: systemClock.nowMs() });
      const next = await buildWorld(wiring, result.reading.set, origin.revision);
      await world.close();
      world = next;
      bundle = path;
    };
    const known = await folder.readCurrent();
    if (known !== undefined) await use(known.path);
    const url = options.repository ?? world.set.reconciler?.repository.url;
    if (url === undefined) {
      throw new HoldfastError("usage", "no policy repository is known", {
        hint: "the first time name it: holdfast run --repository URL; later the policies' own Reconciler document does",
      });
    }
    const reportsBranch = world.set.reconciler?.reports.branch ?? options.branch;
    const source = await openSource(world, {
      url,
      branch: options.branch,
      path: options.path,
      reportsBranch,
    });
    const platform = openPlatform(world, options, () => bundle);
    const journal = openConditionJournal();
    const stopping = new AbortController();
    let loop: LoopStatus | undefined;
    const startedAtMs = systemClock.nowMs();
    let lastReportAt: string | undefined;
    let undelivered: readonly Undelivered[] = [];
    const facts = (): StatusFacts => ({
      world,
      seen,
      looks,
      loop,
      isWaiting: platform.lead !== undefined && leadership === undefined,
      settings: world.set.reconciler,
      lastReportAt,
      startedAtMs,
      undelivered,
    });
    server = await startStatusServer(listenAddress(options, world), facts);
    // One that waits for its turn is alive, and answers.
    leadership = await platform.lead?.(wiring.signal);
    const lost = leadership?.lost;
    const signal = AbortSignal.any([wiring.signal, stopping.signal, ...(lost === undefined ? [] : [lost])]);
    await platform.start();
    const notifier = openNotifier({
      receivers: () => world.set.receivers,
      cluster: () => world.cluster,
      clock: systemClock,
      log: wiring.log,
    });
    const issues = openIssues({
      log: wiring.log,
      world: () => world,
      seen: () => seen,
      platform,
      lastReportAt: () => lastReportAt,
    });
    const looking = every(lookDueEveryMs, signal, "coverage", async () => {
      if (seen === undefined || !isLookDue(looks, world.revision)) return;
      looks = await lookAround(world, { signal });
      await folder.writeLooks(looks);
    });
    const telling = every(tellEveryMs, signal, "alerts", async () => {
      const reports = world.set.reconciler?.reports.path;
      if (reports !== undefined) {
        lastReportAt = (await source.lastPublished(reports).catch(() => undefined))?.at ?? lastReportAt;
      }
      const fired = firedAlerts(currentConditions(facts()), world.set.alerts);
      const failed = [
        ...(await notifier.update(fired.map(alertOf))),
        // Before the first look nothing is known, and what is not known must close no issue.
        ...(seen === undefined
          ? []
          : await issues.update(fired.map(alertOf), Date.parse(seen.actual.observedAt))),
      ];
      const isAlive = loop !== undefined && loop.state !== "stalled" && isPolling(loop, world);
      undelivered = [...failed, ...(isAlive ? await notifier.heartbeat() : [])];
    });
    complain(
      `holdfast run: policies from ${url} branch ${options.branch}${server === undefined ? "" : `, status at ${server.url}`}`,
    );
    await reconcile({
      source,
      clock: systemClock,
      signal,
      log: wiring.log,
      pollEveryMs: () => pollEveryMs(world),
      observeEveryMs,
      jitter: Math.random,
      ...(options.acceptRewritten === undefined ? {} : { acceptRewritten: options.acceptRewritten }),
      loadKnown: () => folder.readCurrent(),
      judgeRevision: async (revision: Revision) => {
        const { findings, reading } = lint(revision.files, schemas, { nowMs: systemClock.nowMs() });
        const names = new Set(reading.set.policies.map((p) => p.name));
        const errors = findings.filter((f) => f.severity === "error");
        const gate =
          errors.length > 0
            ? undefined
            : await unreviewed({
                ...{ world, bundle, revision, source, schemas },
                head: reading.set,
                folder: options.path,
              });
        return {
          errors: errors.map(
            (f) => `${f.location.file}:${f.location.line}:${f.location.column} ${f.rule}: ${f.message}`,
          ),
          ...(gate === undefined ? {} : { unreviewed: gate }),
          removedPolicies: world.set.policies.map((p) => p.name).filter((name) => !names.has(name)),
        };
      },
      adopt: async (revision: Revision) => {
        const path = await folder.writeBundle(revision);
        await use(path);
        await folder.setCurrent(revision, path);
      },
      converge: async () => {
        const looked = await observe(world, platform);
        const plan = makePlan({
          revision: world.revision,
          set: world.set,
          builtKinds,
          actual: looked.actual,
          catalogues: looked.catalogues,
          nowMs: systemClock.nowMs(),
          fingerprint: looked.fingerprint,
        });
        const hasNewJobs = plan.actions.some((a) => a.kind === "create-job");
        let outcomes: Awaited<ReturnType<typeof apply>>;
        try {
          outcomes = await apply(world, platform, plan, looked.fingerprint);
        } finally {
          seen = hasNewJobs ? await withNewJobs(looked, platform) : looked;
        }
        const holding = statusOf(world, seen ?? looked).healths.flatMap((h) => h.conditions);
        await journal
          .note(world, holding)
          .catch((error: unknown) => complain(`· the journal of conditions: ${String(error)}`));
        for (const { action, ok, detail } of outcomes) {
          complain(`· ${ok ? "done" : "failed"}: ${describeAction(action)}${ok ? "" : `: ${detail}`}`);
        }
        for (const refusal of plan.refusals) complain(`· refused ${refusal.policy}: ${refusal.message}`);
        const failed = outcomes.filter((o) => !o.ok);
        return {
          ok: failed.length === 0,
          transient: failed.every((f) => f.transient),
          detail: failed.map((f) => f.detail).join("; "),
        };
      },
      nextRunEnd: async (abort) => {
        const run = await platform.nextRunEnd(abort);
        complain(
          `· ${run.outcome} ${run.key} ${run.slotAt}${run.message === undefined ? "" : `: ${run.message}`}`,
        );
      },
      onStatus: async (status) => {
        loop = status;
        await folder.writeStatus(status);
        if (options.once === true && status.state !== "applying") stopping.abort();
      },
    });
    await platform.stop(stopGraceMs);
    await Promise.all([telling, looking]);
    // Begun afresh it waits for its turn again, and knows nothing that is out of date.
    lost?.throwIfAborted();
    finish(options, world, seen, looks, loop);
  } finally {
    await leadership?.release();
    await server?.close();
    await world.close();
    await lock.release();
  }
}

/** Jobs that were just made belong to what is seen: a policy without any is told to have no backup to come. */
async function withNewJobs(seen: Observation, platform: Platform): Promise<Observation> {
  const known = new Set(seen.actual.jobs.map((j) => j.job.key));
  const { jobs } = await platform.observe();
  const all = [...seen.actual.jobs, ...jobs.filter((j) => !known.has(j.job.key))];
  return { ...seen, actual: { ...seen.actual, jobs: all } };
}

/** Again and again until the signal aborts. A failure of one look does not end the looking. */
async function every(
  pauseMs: number,
  signal: AbortSignal,
  what: string,
  look: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await systemClock.wait(pauseMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    await look().catch((error: unknown) => {
      if (!signal.aborted) complain(`· ${what}: ${String(error)}`);
    });
  }
}

function isLookDue(looks: Looks | undefined, revision: string): boolean {
  if (looks === undefined || looks.revision !== revision) return true;
  return systemClock.nowMs() - Date.parse(looks.at) >= lookEveryMs;
}

function alertOf({ alert, condition }: FiredAlert): Alert {
  const { name, severity, receivers } = alert;
  const { policy, kind, message, hint } = condition;
  return { name, severity, receivers, policy, when: kind, message, hint };
}

function listenAddress(
  options: RunnerOptions,
  world: WiredWorld,
): { readonly host: string; readonly port: number } | undefined {
  if (options.listen === "none") return undefined;
  const given = options.listen === undefined ? undefined : /^(.*):(\d+)$/.exec(options.listen);
  if (given === null)
    throw new HoldfastError("usage", `'${options.listen}' is no address`, {
      hint: "write --listen 127.0.0.1:9187",
    });
  if (given !== undefined) return { host: given[1] ?? "", port: Number(given[2]) };
  return world.set.reconciler?.listen ?? { host: "127.0.0.1", port: 9187 };
}

/** The exit status says what the last look saw. */
function finish(
  options: RunnerOptions,
  world: WiredWorld,
  seen: Observation | undefined,
  looks: Looks | undefined,
  loop: LoopStatus | undefined,
): void {
  const conditions = [
    ...(loop?.conditions ?? []),
    ...(seen === undefined ? [] : statusOf(world, seen, looks).healths.flatMap((h) => h.conditions)),
  ];
  if (options.format === "json") printJson({ ok: loop?.ok ?? false, status: loop ?? null, conditions });
  if (loop?.state === "unreachable") process.exitCode = 10;
  else if (conditions.some((c) => c.kind === "policy-broken")) process.exitCode = 3;
  else if (conditions.some((c) => c.severity === "critical")) process.exitCode = 4;
}
