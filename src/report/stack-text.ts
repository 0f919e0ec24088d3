/** The whole stack in words: what a restore of everything would bring, has brought, or has proved. */
import type { Check, Verdict } from "../catalogue/manifest.ts";
import { formatSize } from "../size.ts";
import { oneLine } from "./escape.ts";
import { type Paint, textTable } from "./text-table.ts";
import { count, formatInstant, formatSeconds } from "./units.ts";

interface TextOptions {
  readonly columns: number;
  readonly paint: Paint;
}

/** As far as it is printed. */
export interface StackToRestore {
  readonly at: string;
  readonly spreadSeconds: number;
  readonly policies: readonly {
    readonly policy: string;
    readonly point: string;
    readonly stateAt: string;
    readonly diskBytes: number;
    readonly drillSeconds?: number;
    readonly proof: string;
    readonly shortages: readonly string[];
  }[];
  readonly leftOut: readonly { readonly policy: string; readonly failure: string }[];
}

/** In the order of the restore, with the command that does it last. */
export function renderStackExplanation(stack: StackToRestore, options: TextOptions): string {
  const { paint } = options;
  const rows = stack.policies.map((p, n) => [
    String(n + 1),
    p.policy,
    formatInstant(p.stateAt),
    p.point,
    formatSize(p.diskBytes),
    p.drillSeconds === undefined ? "" : formatSeconds(p.drillSeconds),
    p.proof,
  ]);
  const head = [
    { heading: "", align: "right" as const },
    { heading: "policy" },
    { heading: "comes back as of" },
    { heading: "from point" },
    { heading: "disk", align: "right" as const },
    { heading: "last drill", align: "right" as const },
    { heading: "proof", elastic: true as const },
  ];
  return [
    ...textTable(head, rows, options),
    ...stack.policies.flatMap((p) => p.shortages.map((s) => paint.bad(`${p.policy}: ${oneLine(s)}`))),
    ...leftOutLines(stack.leftOut, paint),
    ...apart(stack, paint),
    "",
    `${count(stack.policies.length, "policy", "policies")} to ${paint.bold(stack.at)}`,
    `${paint.dim("by hand, one by one:")} holdfast restore POLICY --at ${stack.at} --print`,
    `${paint.dim("all of it:")} holdfast restore --all --at ${stack.at} --to DIR`,
  ].join("\n");
}

/** As far as it is printed. */
export interface RestoredStack {
  readonly ok: boolean;
  readonly at: string;
  readonly spreadSeconds: number;
  readonly durationMs: number;
  readonly policies: readonly {
    readonly policy: string;
    readonly ok: boolean;
    readonly point: string | null;
    readonly stateAt: string | null;
    readonly directory: string | null;
    readonly startCommand: string | null;
    readonly restoredBytes: number;
    readonly durationMs: number;
    readonly checks: readonly Check[];
    readonly failure: string | null;
  }[];
}

/** What failed, how each is started, and last whether everything is back. */
export function renderStackRestore(stack: RestoredStack, options: TextOptions): string {
  const { paint } = options;
  const rows = stack.policies.map((p) => [
    p.ok ? { text: "ok", paint: paint.good } : { text: "FAIL", paint: paint.bad },
    p.policy,
    p.stateAt === null ? "" : formatInstant(p.stateAt),
    p.point ?? "",
    p.point === null ? "" : formatSize(p.restoredBytes),
    formatSeconds(p.durationMs / 1000),
    p.directory ?? "",
  ]);
  const head = [
    { heading: "" },
    { heading: "policy" },
    { heading: "state of" },
    { heading: "from point" },
    { heading: "size", align: "right" as const },
    { heading: "took", align: "right" as const },
    { heading: "folder" },
  ];
  const bad = stack.policies.filter((p) => !p.ok);
  const back = stack.policies.length - bad.length;
  const took = formatSeconds(stack.durationMs / 1000);
  return [
    ...textTable(head, rows, options),
    ...bad.flatMap((p) =>
      p.checks
        .filter((c) => !c.ok)
        .map((c) => paint.bad(`${p.policy}: ${oneLine(`${c.name}: ${c.detail}`)}`)),
    ),
    ...apart(stack, paint),
    "",
    ...stack.policies.flatMap((p) =>
      p.startCommand === null ? [] : [`${paint.dim(`start ${p.policy}:`)} ${p.startCommand}`],
    ),
    stack.ok
      ? paint.good(`the whole stack is back as of ${stack.at}: ${back} of ${back} in ${took}`)
      : paint.bad(`${back} of ${stack.policies.length} are back as of ${stack.at}, after ${took}`),
    ...(bad.length === 0
      ? []
      : [paint.dim(`next: holdfast restore ${bad[0]?.policy ?? ""} --at ${stack.at} --print`)]),
  ].join("\n");
}

/** One line a component, then what failed, then the sentence that is in every verdict. */
export function renderStackVerdicts(
  { ok, at, verdicts }: { readonly ok: boolean; readonly at: string; readonly verdicts: readonly Verdict[] },
  options: TextOptions,
): string {
  const { paint } = options;
  const rows = verdicts.map((v) => [
    v.ok || v.level >= 5 ? { text: "ok", paint: paint.good } : { text: "FAIL", paint: paint.bad },
    v.policy,
    v.point,
    v.level < 0 ? "none" : `level ${v.level}`,
    v.measured.rpoSeconds === undefined ? "" : formatSeconds(v.measured.rpoSeconds),
    v.measured.rtoSeconds === undefined ? "" : formatSeconds(v.measured.rtoSeconds),
  ]);
  const head = [
    { heading: "" },
    { heading: "policy" },
    { heading: "from point" },
    { heading: "proof" },
    { heading: "RPO", align: "right" as const },
    { heading: "RTO", align: "right" as const },
  ];
  const failed = verdicts.flatMap(({ policy, checks }) =>
    checks.filter((c) => !c.ok && c.name !== "whole stack").map((c) => ({ policy, ...c })),
  );
  const whole = verdicts[0]?.checks.find((c) => c.name === "whole stack")?.detail ?? "";
  return [
    ...textTable(head, rows, options),
    ...failed.map((c) => paint.bad(`FAIL ${c.policy}: ${oneLine(`${c.name}: ${c.detail}`)}`)),
    "",
    ok
      ? paint.good(`the whole stack is proved at level 6: ${whole}`)
      : paint.bad(`the whole stack is NOT proved as of ${at}: ${whole}`),
    ...(failed[0] === undefined ? [] : [paint.dim(`next: holdfast verify ${failed[0].policy} --level 5`)]),
  ].join("\n");
}

function leftOutLines(
  leftOut: readonly { readonly policy: string; readonly failure: string }[],
  paint: Paint,
): readonly string[] {
  return leftOut.map((l) => paint.bad(`${l.policy} does not come along: ${oneLine(l.failure)}`));
}

function apart({ spreadSeconds }: { readonly spreadSeconds: number }, paint: Paint): readonly string[] {
  if (spreadSeconds === 0) return [];
  return [
    paint.warn(
      `states up to ${formatSeconds(spreadSeconds)} apart; what refers from one to the other may point at nothing`,
    ),
  ];
}
