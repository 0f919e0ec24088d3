/**
 * The status page: one HTML document that needs nothing else, no script, no outside reference. It loads itself
 * again every 30 seconds and says when it was made, so that a stale copy can be told.
 */
import type { CheckState, Condition, PolicyHealth } from "../state/health.ts";
import { escapeXml, oneLine } from "./escape.ts";
import { formatAge, formatBytes, formatInstant, formatSeconds } from "./units.ts";
import { type Mood, overallVerdict } from "./verdict.ts";

/** What the page says of the reconciler itself. */
export interface ReconcileStatus {
  readonly cluster: string;
  readonly version: string;
  readonly revision: string;
  readonly lastPollAt?: string;
  readonly lastAppliedAt?: string;
  readonly lastReportAt?: string;
  /** What the loop does or why it stands; one sentence. */
  readonly state: string;
  readonly ok: boolean;
  readonly conditions: readonly Condition[];
  readonly notBuilt: readonly { readonly policy: string; readonly component: string }[];
}

const style = `
:root{color-scheme:light dark;--page:#fff;--card:#f6f8fa;--line:#d1d9e0;--ink:#1f2328;--dim:#59636e;--good:#1a7f37;--warn:#9a6700;--bad:#cf222e;--goodsoft:#dafbe1;--warnsoft:#fff8c5;--badsoft:#ffebe9}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--card:#151b23;--line:#3d444d;--ink:#f0f6fc;--dim:#9198a1;--good:#3fb950;--warn:#d29922;--bad:#f85149;--goodsoft:#12261e;--warnsoft:#272115;--badsoft:#25171c}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px}header{display:flex;justify-content:space-between;align-items:baseline;gap:16px;flex-wrap:wrap}
h1{font-size:20px;margin:0}h2{font-size:16px;margin:28px 0 8px}.dim{color:var(--dim)}code{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.banner{border:1px solid var(--line);border-left:6px solid;border-radius:6px;padding:12px 16px;margin:16px 0;font-size:16px;font-weight:600;overflow-wrap:anywhere}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.banner.good{background:var(--goodsoft)}.banner.warn{background:var(--warnsoft)}.banner.bad{background:var(--badsoft)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px}table{border-collapse:collapse;width:100%}
th{background:var(--card);text-align:left;font-weight:600;font-size:12px;color:var(--dim)}th,td{padding:8px 12px;border-top:1px solid var(--line);vertical-align:top}
tr:first-child>th{border-top:0}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td{overflow-wrap:anywhere}
.pill{display:inline-block;border:1px solid currentColor;border-radius:999px;padding:0 8px;font-size:12px;font-weight:600;white-space:nowrap}
.dots{display:flex;gap:4px}.dot{width:14px;height:14px;border-radius:4px;background:currentColor}.dot.none{color:var(--line)}
.scroll:focus-visible{outline:3px solid var(--dim);outline-offset:2px}
@media(max-width:700px){main{padding:16px}.scroll{overflow-x:visible}table,tbody,tr,td{display:block}tr.head{display:none}
tr{border-top:1px solid var(--line);padding:8px 0}tr:first-child,tr.head+tr{border-top:0}td,td.n{border:0;padding:4px 12px;text-align:left;white-space:normal}
td[data-label]{display:flex;justify-content:space-between;gap:16px}td[data-label]>.value{text-align:right}td[data-label]::before{content:attr(data-label);color:var(--dim);flex:none}.dots{justify-content:flex-end}}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
`;

const proofMood = { proved: "good", overdue: "warn", failed: "bad", unproven: "warn" } as const;
const severityMood = { critical: "bad", warning: "warn", info: "dim" } as const;

/** The page as a whole HTML document, well-formed as XML too. */
export function renderStatusPage(
  healths: readonly PolicyHealth[],
  status: ReconcileStatus,
  nowMs: number,
): string {
  const verdict = overallVerdict(healths, status.notBuilt);
  const own = status.conditions.find((c) => c.severity === "critical");
  // A loop that stands still makes every other word on this page doubtful, so it wins.
  const mood: Mood = !status.ok || own !== undefined ? "bad" : verdict.mood;
  const sentence = !status.ok
    ? `The reconciler does not run: ${status.state}.`
    : own !== undefined
      ? `${own.message}.`
      : verdict.sentence;
  const conditions = [...status.conditions, ...verdict.conditions];
  return `${[
    "<!DOCTYPE html>",
    '<html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>',
    '<meta http-equiv="refresh" content="30"/><meta name="referrer" content="no-referrer"/>',
    `<title>${mood === "good" ? "OK" : mood === "warn" ? "Look" : "FAILING"} – Holdfast ${xml(status.cluster)}</title>`,
    `<style>${style}</style></head><body><main>`,
    `<header><h1>Holdfast <span class="dim">${xml(status.cluster)}</span></h1><span class="dim">made ${formatInstant(new Date(nowMs).toISOString())}</span></header>`,
    `<p class="banner ${mood}" role="status">${xml(sentence, 600)}</p>`,
    ...policyTable(healths, nowMs),
    ...conditionTable(conditions),
    ...notBuilt(status),
    ...reconcileFacts(status, nowMs),
    "</main></body></html>",
  ].join("\n")}\n`;
}

function xml(text: string, limit = 300): string {
  return escapeXml(oneLine(text, limit));
}

function policyTable(healths: readonly PolicyHealth[], nowMs: number): readonly string[] {
  if (healths.length === 0) return [];
  const rows = healths.map((h) =>
    [
      `<tr><td><strong>${xml(h.policy)}</strong><br/><span class="dim">${xml(h.component)}</span></td>`,
      cell("Proof", `<span class="pill ${proofMood[h.proof]}">${h.proof}</span>`),
      cell("Checklist", `<span class="dots">${h.checks.map((c) => dot(c, nowMs)).join("")}</span>`),
      cell(
        "Newest point",
        h.newest === undefined ? '<span class="bad">none</span>' : formatAge(h.newest.at, nowMs),
        true,
      ),
      cell("Back to", h.oldest === undefined ? "–" : formatInstant(h.oldest.at), true),
      cell("A disaster now costs", measured(h.exposureSeconds, h.target.rpoSeconds, "everything"), true),
      cell("RPO measured", measured(h.measured.rpoSeconds, h.target.rpoSeconds, "not measured"), true),
      cell("RTO measured", measured(h.measured.rtoSeconds, h.target.rtoSeconds, "not measured"), true),
      cell(
        "Stored",
        `${formatBytes(h.sizeBytes)}<br/><span class="dim">${h.pointsCount} points</span>`,
        true,
      ),
      "</tr>",
    ].join(""),
  );
  return [
    '<h2 id="policies">Policies</h2><div class="scroll" role="region" aria-labelledby="policies" tabindex="0"><table>',
    '<tr class="head"><th>Policy</th><th>Proof</th><th>Checklist</th><th class="n">Newest point</th><th class="n">Back to</th><th class="n">A disaster now costs</th><th class="n">RPO measured</th><th class="n">RTO measured</th><th class="n">Stored</th></tr>',
    ...rows,
    "</table></div>",
  ];
}

function dot(check: CheckState, nowMs: number): string {
  const label = `${check.name} (level ${check.level}): ${check.state}${check.verdict === undefined ? "" : `, ${formatAge(check.verdict.at, nowMs)}`}`;
  const mood = check.state === "unproven" ? "none" : proofMood[check.state];
  return `<span class="dot ${mood}" role="img" title="${xml(label)}" aria-label="${xml(label)}"></span>`;
}

/** On a narrow screen a row is a card, and each value stands beside its name. */
function cell(name: string, value: string, isNumber = false): string {
  return `<td data-label="${name}"${isNumber ? ' class="n"' : ""}><span class="value">${value}</span></td>`;
}

function measured(seconds: number | undefined, target: number, none: string): string {
  const goal = `<br/><span class="dim">of ${formatSeconds(target)}</span>`;
  if (seconds === undefined)
    return `<span class="${none === "everything" ? "bad" : "dim"}">${none}</span>${goal}`;
  return `<span class="${seconds > target ? "bad" : "good"}">${formatSeconds(seconds)}</span>${goal}`;
}

function conditionTable(conditions: readonly Condition[]): readonly string[] {
  if (conditions.length === 0) return ['<h2>Conditions</h2><p class="dim">None holds.</p>'];
  const rows = conditions.map(
    (c) =>
      `<tr><td><span class="pill ${severityMood[c.severity]}">${c.severity}</span></td><td>${xml(c.policy)}</td><td>${xml(c.message)}<br/><code class="dim">${xml(c.hint)}</code></td></tr>`,
  );
  return [
    '<h2 id="conditions">Conditions</h2><div class="scroll" role="region" aria-labelledby="conditions" tabindex="0"><table><tr class="head"><th>Severity</th><th>Policy</th><th>What, and the next step</th></tr>',
    ...rows,
    "</table></div>",
  ];
}

function notBuilt(status: ReconcileStatus): readonly string[] {
  if (status.notBuilt.length === 0) return [];
  const names = status.notBuilt.map((n) => `${xml(n.policy)} <span class="dim">(${xml(n.component)})</span>`);
  return [`<h2>Not protected</h2><p>Declared, but without an engine yet: ${names.join(", ")}.</p>`];
}

function reconcileFacts(status: ReconcileStatus, nowMs: number): readonly string[] {
  const facts: readonly (readonly [string, string])[] = [
    ["State", status.state],
    ["Revision applied", status.revision === "" ? "none" : status.revision],
    ["Applied", formatAge(status.lastAppliedAt, nowMs)],
    ["Repository polled", formatAge(status.lastPollAt, nowMs)],
    ["Last report", formatAge(status.lastReportAt, nowMs)],
    ["Version", status.version],
  ];
  return [
    "<h2>Reconciler</h2><dl>",
    ...facts.map(([name, value]) => `<dt>${name}</dt><dd>${xml(value)}</dd>`),
    "</dl>",
  ];
}
