/** Measured against promised: one bullet bar per policy for data loss (RPO) and one for time to restore (RTO). */
import { frame, line, rect, text } from "./svg-frame.ts";
import { count, formatSeconds } from "./units.ts";

export interface ObjectiveRow {
  readonly policy: string;
  readonly rpoSeconds?: number;
  readonly rtoSeconds?: number;
  readonly target: { readonly rpoSeconds: number; readonly rtoSeconds: number };
}

const width = 800;
const columns = [
  { x: 170, label: "data lost (RPO)" },
  { x: 482, label: "time to restore (RTO)" },
] as const;
const barWidth = 136;
const rowHeight = 34;
const mostRows = 40;

/** The picture as an SVG document. Each bar is scaled so that its target stands at two thirds of it. */
export function objectivesSvg(rows: readonly ObjectiveRow[]): string {
  const shown = rows.slice(0, mostRows);
  const height = 82 + Math.max(1, shown.length) * rowHeight;
  const missed = rows.filter(
    (r) => misses(r.rpoSeconds, r.target.rpoSeconds) || misses(r.rtoSeconds, r.target.rtoSeconds),
  );
  const unmeasured = rows.filter((r) => r.rpoSeconds === undefined || r.rtoSeconds === undefined);
  const description = `${count(rows.length, "policy", "policies")}: ${missed.length} over target, ${unmeasured.length} not fully measured. ${rows
    .slice(0, mostRows)
    .map(
      (r) =>
        `${r.policy}: RPO ${formatSeconds(r.rpoSeconds)} of ${formatSeconds(r.target.rpoSeconds)}, RTO ${formatSeconds(r.rtoSeconds)} of ${formatSeconds(r.target.rtoSeconds)}.`,
    )
    .join(" ")}`;
  const body = columns.map((c) => text(c.x, 54, c.label, { className: "dim small" }));
  shown.forEach((row, index) => {
    const y = 66 + index * rowHeight;
    body.push(text(20, y + 15, row.policy, { className: "strong", limit: 19 }));
    body.push(...bullet(columns[0].x, y, row.rpoSeconds, row.target.rpoSeconds));
    body.push(...bullet(columns[1].x, y, row.rtoSeconds, row.target.rtoSeconds));
  });
  if (rows.length === 0) body.push(text(20, 81, "no policy", { className: "dim" }));
  if (rows.length > mostRows)
    body.push(text(780, 54, `and ${rows.length - mostRows} more`, { className: "dim small", anchor: "end" }));
  return frame({ title: "Measured by restores, against the target", description, width, height }, body);
}

function misses(measured: number | undefined, target: number): boolean {
  return measured !== undefined && measured > target;
}

function bullet(x: number, y: number, measured: number | undefined, target: number): readonly string[] {
  const scale = (barWidth * 2) / 3 / Math.max(target, 1e-9);
  const mark = x + (target > 0 ? target * scale : 0);
  const drawn = [rect(x, y + 3, barWidth, 16, "track", 3)];
  if (measured !== undefined) {
    const missed = measured > target;
    const long = Math.min(barWidth, Math.max(3, measured * scale));
    drawn.push(rect(x, y + 6, long, 10, missed ? "bad" : "good", 2));
    // The bar ends at the frame; an arrow says that the value goes on.
    if (measured * scale > barWidth)
      drawn.push(`<path class="bad" d="M${x + barWidth} ${y + 4}l7 7l-7 7z"/>`);
  }
  drawn.push(line([mark, y + 1, mark, y + 21], "ink", 2));
  const label =
    measured === undefined
      ? `not measured, ≤ ${formatSeconds(target)}`
      : `${formatSeconds(measured)} of ${formatSeconds(target)}`;
  drawn.push(
    text(x + barWidth + 12, y + 15, label, { className: measured === undefined ? "dim small" : "small" }),
  );
  return drawn;
}
