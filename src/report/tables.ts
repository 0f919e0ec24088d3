/**
 * What people read on a terminal. The line that matters most comes last, where the eye is, and says the next
 * command. JSON counterparts are in `json.ts`.
 */
import type { Verdict } from "../catalogue/manifest.ts";
import type { Simulation } from "../retention/simulate.ts";
import type { Condition, PolicyHealth, ProofState } from "../state/health.ts";
import type { Plan } from "../state/plan.ts";
import { oneLine } from "./escape.ts";
import { allWell, type DemoResult, type ListedPoint } from "./json.ts";
import { actionSign, describeAction, isDestructive } from "./plan-action.ts";
import { type Paint, type TextCell, textTable } from "./text-table.ts";
import { count, formatAge, formatBytes, formatInstant, formatSeconds } from "./units.ts";

export type { Paint } from "./text-table.ts";

export interface TextOptions {
  readonly paint: Paint;
  /** Width of the terminal. */
  readonly columns: number;
}

export interface TimedOptions extends TextOptions {
  readonly nowMs: number;
}

const lines = (...parts: readonly (string | readonly string[])[]): string => parts.flat().join("\n");

/** Recovery points, newest last. */
export function renderList(points: readonly ListedPoint[], options: TimedOptions): string {
  const { paint, nowMs } = options;
  if (points.length === 0) {
    return lines(
      paint.bad("no recovery point: nothing can be restored"),
      paint.dim("next: holdfast backup POLICY"),
    );
  }
  const rows = [...points].reverse().map((p) => [
    p.id,
    p.policy,
    p.component,
    formatAge(p.finishedAt, nowMs),
    formatBytes(p.sizeBytes),
    {
      text: p.status,
      paint: p.status === "unreadable" ? paint.bad : p.status === "expiring" ? paint.warn : paint.dim,
    },
    proofCell(p, nowMs, paint),
  ]);
  const table = textTable(
    [
      { heading: "POINT" },
      { heading: "POLICY", elastic: true },
      { heading: "COMPONENT" },
      { heading: "AGE", align: "right" },
      { heading: "SIZE", align: "right" },
      { heading: "STATUS" },
      { heading: "PROOF", elastic: true },
    ],
    rows,
    options,
  );
  const proved = points.filter((p) => p.proof >= 4).length;
  const summary = `${count(points.length, "recovery point")}, ${proved} proved by a restore, ${formatBytes(points.reduce((sum, p) => sum + p.sizeBytes, 0))}`;
  if (proved > 0) return lines(table, "", paint.good(summary));
  return lines(
    table,
    "",
    paint.warn(summary),
    paint.dim(`next: holdfast verify ${points[0]?.policy ?? "POLICY"}`),
  );
}

function proofCell(point: ListedPoint, nowMs: number, paint: Paint): TextCell {
  if (point.proof < 0) return { text: "none", paint: paint.warn };
  const text = `level ${point.proof}, ${formatAge(point.provedAt ?? undefined, nowMs)}`;
  return { text, paint: point.proof >= 4 ? paint.good : paint.warn };
}

/** One row per policy, then every condition with its next step, then the verdict. */
export function renderStatus(healths: readonly PolicyHealth[], options: TimedOptions): string {
  const { paint, nowMs } = options;
  if (healths.length === 0)
    return lines(paint.bad("no policy is in force: nothing is protected"), paint.dim("next: holdfast init"));
  const proofPaint: Readonly<Record<ProofState, Paint["good"]>> = {
    proved: paint.good,
    overdue: paint.warn,
    failed: paint.bad,
    unproven: paint.warn,
  };
  const rows = healths.map((h): readonly (string | TextCell)[] => [
    h.policy,
    { text: h.proof, paint: proofPaint[h.proof] },
    h.proven === undefined ? "none" : formatAge(h.proven.at, nowMs),
    h.newest === undefined ? { text: "none", paint: paint.bad } : formatAge(h.newest.at, nowMs),
    h.oldest === undefined ? "–" : formatInstant(h.oldest.at),
    measuredCell(h.exposureSeconds, h.target.rpoSeconds, paint, "everything"),
    measuredCell(h.measured.rpoSeconds, h.target.rpoSeconds, paint),
    measuredCell(h.measured.rtoSeconds, h.target.rtoSeconds, paint),
    formatBytes(h.sizeBytes),
  ]);
  const right = "right" as const;
  const table = textTable(
    [
      { heading: "POLICY", elastic: true },
      { heading: "PROOF" },
      { heading: "RESTORED", align: right },
      { heading: "NEWEST", align: right },
      { heading: "BACK TO" },
      { heading: "EXPOSED", align: right },
      { heading: "RPO", align: right },
      { heading: "RTO", align: right },
      { heading: "STORED", align: right },
    ],
    rows,
    options,
  );
  const conditions = healths.flatMap((h) => h.conditions);
  const told = conditions.length === 0 ? [] : ["", ...conditions.flatMap((c) => conditionLines(c, paint))];
  return lines(table, runTable(healths, options), told, "", statusVerdict(healths, conditions, paint));
}

/** Below the first table, which is as wide as a terminal; nothing where no platform holds a job. */
function runTable(healths: readonly PolicyHealth[], options: TimedOptions): readonly string[] {
  const { paint, nowMs } = options;
  const rows = healths.flatMap(({ policy, captures }): (readonly (string | TextCell)[])[] => {
    if (captures === undefined) return [];
    const { running, last, nextAt } = captures;
    const lastCell =
      last === undefined
        ? running
          ? { text: "runs all the time", paint: paint.good }
          : { text: "none", paint: paint.warn }
        : {
            text: `${formatAge(last.at, nowMs)}, ${last.outcome}`,
            paint:
              last.outcome === "succeeded" ? paint.good : last.outcome === "running" ? paint.dim : paint.bad,
          };
    return [[policy, lastCell, nextAt === undefined ? "–" : formatAge(nextAt, nowMs)]];
  });
  if (rows.length === 0) return [];
  const head = [
    { heading: "POLICY", elastic: true as const },
    { heading: "LAST RUN" },
    { heading: "NEXT RUN" },
  ];
  return ["", ...textTable(head, rows, options)];
}

function measuredCell(
  seconds: number | undefined,
  target: number,
  paint: Paint,
  none = "–",
): string | TextCell {
  if (seconds === undefined) return { text: none, paint: none === "–" ? paint.dim : paint.bad };
  return { text: formatSeconds(seconds), paint: seconds > target ? paint.bad : paint.good };
}

function conditionLines(condition: Condition, paint: Paint): readonly string[] {
  const colour =
    condition.severity === "critical" ? paint.bad : condition.severity === "warning" ? paint.warn : paint.dim;
  return [
    `${colour(condition.severity)} ${paint.bold(oneLine(condition.policy))}: ${oneLine(condition.message)}`,
    paint.dim(`  next: ${oneLine(condition.hint)}`),
  ];
}

function statusVerdict(
  healths: readonly PolicyHealth[],
  conditions: readonly Condition[],
  paint: Paint,
): string {
  const critical = conditions.filter((c) => c.severity === "critical").length;
  const open = healths.filter((h) => h.proof !== "proved").length;
  if (critical > 0)
    return paint.bad(
      `${count(critical, "critical condition")}, ${open} of ${count(healths.length, "policy", "policies")} not proved`,
    );
  if (!allWell(healths))
    return paint.warn(`${open} of ${count(healths.length, "policy", "policies")} not proved`);
  return paint.good(`${count(healths.length, "policy", "policies")}, all proved by restores`);
}

/** The checks of one verification, the failed ones last, then what it measured, then the verdict. */
export function renderVerdict(verdict: Verdict, paint: Paint): string {
  const ordered = [...verdict.checks.filter((c) => c.ok), ...verdict.checks.filter((c) => !c.ok)];
  const checks = ordered.map(
    (c) =>
      `${c.ok ? paint.good("ok  ") : paint.bad("FAIL")} ${oneLine(c.name)}  ${paint.dim(oneLine(c.detail))}`,
  );
  const { rpoSeconds, rtoSeconds, targetAt, lastCanaryAt } = verdict.measured;
  const measured = [
    ...(targetAt === undefined ? [] : [`target ${formatInstant(targetAt)}`]),
    ...(lastCanaryAt === undefined ? [] : [`last canary ${formatInstant(lastCanaryAt)}`]),
    ...(rpoSeconds === undefined ? [] : [`RPO ${formatSeconds(rpoSeconds)}`]),
    ...(rtoSeconds === undefined ? [] : [`RTO ${formatSeconds(rtoSeconds)}`]),
  ];
  const reached = verdict.level < 0 ? "no level" : `level ${verdict.level}`;
  const head = `${verdict.policy} ${verdict.point}`;
  // A verdict that passed every check it made but reached less than was asked is not good.
  const last =
    verdict.ok && verdict.level >= verdict.asked
      ? [paint.good(`${head} proved at ${reached} in ${formatSeconds(verdict.durationMs / 1000)}`)]
      : [
          paint.bad(`${head} is NOT proved: ${reached} of ${verdict.asked} reached`),
          paint.dim(
            `next: holdfast list ${verdict.policy}, then holdfast verify ${verdict.policy} --point ID`,
          ),
        ];
  return lines(checks, measured.length === 0 ? [] : [measured.join(", ")], last);
}

/** Notes, actions in their order, refusals, and last what it comes to. */
export function renderPlan(plan: Plan, options: TextOptions): string {
  const { paint } = options;
  const rows = plan.actions.map((action) => {
    const colour = isDestructive(action) ? paint.bad : action.kind === "remove-job" ? paint.warn : paint.good;
    return [
      { text: actionSign[action.kind], paint: colour },
      action.policy,
      describeAction(action),
      { text: action.reason, paint: paint.dim },
    ];
  });
  const table =
    rows.length === 0
      ? []
      : textTable(
          [
            { heading: "" },
            { heading: "POLICY" },
            { heading: "ACTION" },
            { heading: "REASON", elastic: true },
          ],
          rows,
          options,
        );
  const notes = plan.notes.map(
    (n) =>
      `${n.severity === "info" ? paint.dim("note") : paint.warn(n.severity)} ${oneLine(n.policy)}: ${oneLine(n.message)}`,
  );
  const refusals = plan.refusals.flatMap((r) => [
    `${paint.bad("refused")} ${paint.bold(oneLine(r.policy))} ${paint.dim(`[${oneLine(r.guard)}]`)}: ${oneLine(r.message)}`,
    paint.dim(`  next: ${oneLine(r.hint)}`),
  ]);
  const blocks = [notes, table, refusals].filter((b) => b.length > 0).flatMap((b) => [...b, ""]);
  return lines(blocks, planVerdict(plan, paint));
}

function planVerdict(plan: Plan, paint: Paint): readonly string[] {
  const refused = plan.refusals.length === 0 ? "" : `, ${plan.refusals.length} refused`;
  if (plan.actions.length === 0) {
    return plan.refusals.length === 0
      ? [paint.good("nothing to do: what is wanted is there")]
      : [paint.bad(`nothing to do${refused}`)];
  }
  const destructive = plan.actions.filter(isDestructive).length;
  const text = `${count(plan.actions.length, "action")}, ${destructive === 0 ? "none" : destructive} of them ${destructive === 1 ? "deletes" : "delete"} stored data${refused}`;
  return [
    (refused !== "" || destructive > 0 ? paint.warn : paint.bold)(text),
    paint.dim("next: holdfast apply"),
  ];
}

/** Day by day what is kept; days on which nothing changes are left out. */
export function renderSimulate(simulations: readonly Simulation[], options: TextOptions): string {
  const { paint } = options;
  const blocks = simulations.flatMap((simulation) => {
    const days = simulation.days.filter(
      (d, index, all) => index === 0 || index === all.length - 1 || d.added.length > 0 || d.lost.length > 0,
    );
    const rows = days.map((d) => [
      d.day,
      String(d.kept),
      d.oldestAt === null ? { text: "nothing", paint: paint.bad } : formatInstant(d.oldestAt),
      formatBytes(d.sizeBytes),
      { text: d.added.length === 0 ? "" : `+${d.added.length}`, paint: paint.good },
      { text: d.lost.map((l) => `-${l.id} (${l.reason})`).join(", "), paint: paint.warn },
    ]);
    const right = "right" as const;
    const head = [
      { heading: "DAY" },
      { heading: "KEPT", align: right },
      { heading: "OLDEST" },
      { heading: "STORED", align: right },
      { heading: "NEW" },
      { heading: "DELETED", elastic: true as const },
    ];
    const reach = simulation.reachMs === "forever" ? "for ever" : formatSeconds(simulation.reachMs / 1000);
    const verdict = simulation.reachHeld
      ? paint.good(`${simulation.policy}: ${simulation.retention} holds the reach of ${reach}`)
      : paint.bad(`${simulation.policy}: ${simulation.retention} does NOT hold the reach of ${reach}`);
    return [paint.bold(oneLine(simulation.policy)), ...textTable(head, rows, options), verdict, ""];
  });
  return blocks.length === 0 ? paint.dim("no policy to simulate") : lines(blocks.slice(0, -1));
}

export interface DemoRow {
  readonly policy: string;
  readonly point: string;
  readonly finishedAt: string;
  /** Level reached, -1 for none. */
  readonly proof: number;
  readonly rpoSeconds: number | null;
  readonly rtoSeconds: number | null;
}

/** The demo's end: the recovery point, its age, its proof and what the restore measured. */
export function renderDemoTable(rows: readonly DemoRow[], result: DemoResult, options: TimedOptions): string {
  const { paint, nowMs } = options;
  const right = "right" as const;
  const table = textTable(
    [
      { heading: "POLICY" },
      { heading: "RECOVERY POINT" },
      { heading: "AGE", align: right },
      { heading: "PROOF" },
      { heading: "MEASURED RPO", align: right },
      { heading: "MEASURED RTO", align: right },
    ],
    rows.map((r) => [
      r.policy,
      r.point,
      formatAge(r.finishedAt, nowMs),
      { text: r.proof < 0 ? "none" : `level ${r.proof}`, paint: r.proof >= 4 ? paint.good : paint.bad },
      formatSeconds(r.rpoSeconds ?? undefined),
      formatSeconds(r.rtoSeconds ?? undefined),
    ]),
    options,
  );
  const last =
    result.ok && rows.length > 0 && rows.every((r) => r.proof >= 4)
      ? paint.good("every component shown is proved by a restore, and the report says so")
      : paint.bad("NOT every component shown is proved");
  return lines(
    table,
    "",
    `report ${oneLine(`${result.workdir}/checkout/${result.report}`)}`,
    paint.dim(`everything is in ${oneLine(result.workdir)}`),
    last,
  );
}
