/** An instant of the past as a table: policy by policy, then all of them together. */
import type { InForce, PointProof, PolicyAt, TimeTravel } from "../health/time-travel.ts";
import { type Paint, textTable } from "./text-table.ts";
import { count, formatInstant, formatSeconds } from "./units.ts";

const words: Readonly<Record<InForce, string>> = {
  same: "as today",
  changed: "other",
  absent: "none",
  unreadable: "unreadable",
  unknown: "unknown",
};

/** Ends with the commands that bring everything back, or with what stands in the way. */
export function renderTimeTravel(
  travel: TimeTravel,
  options: { readonly columns: number; readonly paint: Paint },
): string {
  const { paint } = options;
  const head = [
    { heading: "policy" },
    { heading: "in force" },
    { heading: "points", align: "right" as const },
    { heading: "comes back as of" },
    { heading: "from point" },
    { heading: "proof then" },
    { heading: "proof now" },
    { heading: "checks then", elastic: true as const },
  ];
  const rows = travel.policies.map((p) => [
    p.policy,
    p.inForce === "changed" || p.inForce === "absent"
      ? { text: words[p.inForce], paint: paint.warn }
      : words[p.inForce],
    p.gone.length === 0 ? String(p.points.length) : `${p.points.length} (more then)`,
    p.restore === null
      ? { text: "not at all", paint: paint.bad }
      : { text: formatInstant(p.restore.stateAt), paint: paint.good },
    p.restore?.point ?? "",
    p.restore === null ? "" : proofCell(p.restore.proofThen, paint),
    p.restore === null ? "" : proofCell(p.restore.proofNow, paint),
    p.checksThen,
  ]);
  return [
    revisionLine(travel, paint),
    ...textTable(head, rows, options),
    "",
    ...travel.policies.flatMap((p) => detailLines(p, paint)),
    ...togetherLines(travel, paint),
    ...travel.warnings.map((w) => `${paint.warn("warning")} ${w}`),
  ].join("\n");
}

function revisionLine({ at, revision, committedAt }: TimeTravel, paint: Paint): string {
  const source =
    revision === null || committedAt === null
      ? "policies of then unknown"
      : `policies of commit ${revision.slice(0, 12)}, ${formatInstant(committedAt)}`;
  return `${paint.bold(formatInstant(at))}, ${source}`;
}

function proofCell(proof: PointProof | null, paint: Paint) {
  if (proof === null) return { text: "not stored yet", paint: paint.warn };
  if (proof.level < 0) return { text: "nothing", paint: paint.warn };
  return { text: `level ${proof.level}`, paint: proof.level >= 4 ? paint.good : paint.warn };
}

function detailLines(p: PolicyAt, paint: Paint): readonly string[] {
  return [
    ...(p.restore === null ? [`${p.policy}: ${p.failure ?? ""}`] : [p.restore.command]),
    ...(p.changed.length === 0 ? [] : [paint.dim(`  different then: ${p.changed.join(", ")}`)]),
    ...(p.gone.length === 0
      ? []
      : [paint.dim(`  removed since: ${p.gone.join(", ")}, and perhaps others before them`)]),
  ];
}

function togetherLines({ policies, together }: TimeTravel, paint: Paint): readonly string[] {
  if (together === null) return ["", paint.bad("together: there is no instant to which all can be restored")];
  const spread =
    together.spreadSeconds === 0
      ? paint.good("all of that instant")
      : paint.warn(`states up to ${formatSeconds(together.spreadSeconds)} apart`);
  const lines = [
    "",
    `together: ${count(policies.length, "policy", "policies")} to ${paint.bold(together.at)}, ${spread}`,
  ];
  if (together.spreadSeconds > 0) {
    for (const { policy, stateAt } of together.states) lines.push(paint.dim(`  ${policy} of ${stateAt}`));
    lines.push(
      together.sameInstantAt === null
        ? "there is no instant of which all have a state"
        : `all of one instant: ${paint.bold(together.sameInstantAt)}`,
    );
  }
  return lines;
}
