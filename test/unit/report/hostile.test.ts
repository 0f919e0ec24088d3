/** No text from outside breaks the form of what holds it: XML stays well-formed, tables keep their columns. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeSpan, escapeMarkdown, escapeXml, fileSlug } from "../../../src/report/escape.ts";
import { renderReport } from "../../../src/report/markdown.ts";
import { renderMetrics } from "../../../src/report/metrics.ts";
import { renderPlanMarkdown } from "../../../src/report/plan-markdown.ts";
import { renderStatusPage } from "../../../src/report/status-page.ts";
import type { PolicyHealth } from "../../../src/state/health.ts";
import { seed } from "../../seed.ts";
import { catalogue, entry, health, hostile, nowMs, point, policy, reportInput, verdict } from "./fixtures.ts";

console.log(`HOLDFAST_SEED=${seed}`);

/** Checks nesting and escapes; enough to see an unescaped sign, without a package. */
function xmlFault(document: string): string | undefined {
  const open: string[] = [];
  const body = document.replace(/^<!DOCTYPE html>\n/, "").replace(/<style>[^<]*<\/style>/g, "");
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(body)) return "control character";
  let rest = body;
  while (rest !== "") {
    const text = /^[^<&>]+|^&(?:amp|lt|gt|quot|#39);/.exec(rest)?.[0];
    if (text !== undefined) {
      rest = rest.slice(text.length);
      continue;
    }
    const tag =
      /^<(\/?)([a-zA-Z][\w]*)((?:\s+[\w:-]+="(?:[^"<&]|&(?:amp|lt|gt|quot|#39);)*")*)\s*(\/?)>/.exec(rest);
    if (tag === null) return `at ${JSON.stringify(rest.slice(0, 60))}`;
    if (tag[1] === "/") {
      if (open.pop() !== tag[2]) return `</${tag[2]}> closes another`;
    } else if (tag[4] !== "/") open.push(tag[2] ?? "");
    rest = rest.slice(tag[0].length);
  }
  return open.length === 0 ? undefined : `open: ${open.join(" ")}`;
}

/** Every table of the text as rows of cell counts, split as GitHub does: at pipes without a backslash before. */
function tableFaults(markdown: string): readonly string[] {
  const faults: string[] = [];
  let columns = 0;
  for (const line of markdown.split("\n")) {
    if (!line.startsWith("|")) {
      columns = 0;
      continue;
    }
    const cells = [...line.matchAll(/(?<!\\)(?:\\\\)*\|/g)].length - 1;
    if (columns === 0) columns = cells;
    else if (cells !== columns) faults.push(line);
  }
  return faults;
}

function hostileHealth(text: string): PolicyHealth {
  const bad = verdict(nowMs, -1, {
    asked: 4,
    policy: text,
    point: text,
    checks: [{ name: text, ok: false, detail: text }],
  });
  return health({
    policy: text,
    proof: "failed",
    checks: [{ name: text, level: 4, everyMs: 1, state: "failed", verdict: bad }],
    conditions: [
      { kind: "verification-failed", policy: text, severity: "critical", message: text, hint: text },
    ],
  });
}

function hostileReport(text: string): ReadonlyMap<string, string> {
  const own = policy({ name: text });
  const points = [point(nowMs - 86_400_000, { policy: text, id: text })];
  const one = entry({
    policy: {
      ...own,
      verification: { ...own.verification, checks: [{ name: text, level: 4, everyMs: 1, automated: "yes" }] },
    },
    health: hostileHealth(text),
    catalogue: {
      ...catalogue(points, text),
      complete: false,
      remarks: [text],
      unreadable: [{ id: text, reason: text }],
    },
    runs: [
      {
        key: text,
        policy: text,
        kind: "capture",
        slotAt: text,
        startedAt: "2026-11-20T02:00:00.000Z",
        outcome: "failed",
        message: text,
      },
    ],
    prune: [{ point: text, reason: text, at: "2026-11-20T02:00:00.000Z", removedBytes: 1 }],
    episodes: [
      {
        kind: "rpo-missed",
        severity: "critical",
        message: text,
        fromAt: "2026-11-20T02:00:00.000Z",
        toAt: "2026-11-20T03:00:00.000Z",
      },
    ],
    drills: [verdict(nowMs, 5, { policy: text, point: text, measured: { seed: text } })],
  });
  return renderReport(
    reportInput([one], {
      cluster: text,
      revision: text,
      seed: text,
      platformName: text,
      previousCommit: text,
      notBuilt: [{ policy: text, component: text }],
      existing: [text],
      remarks: [text],
      waivers: [{ rule: text, document: text, reason: text, owner: text, until: text }],
    }),
  );
}

function check(text: string): void {
  for (const [path, content] of hostileReport(text)) {
    expect(path).toMatch(/^[\w./-]+$/);
    if (path.endsWith(".svg")) expect(xmlFault(content), path).toBeUndefined();
    if (path.endsWith(".md")) {
      expect(tableFaults(content), path).toEqual([]);
      expect(content).not.toContain("<script");
    }
    if (path.endsWith(".json")) JSON.parse(content);
  }
  const page = renderStatusPage(
    [hostileHealth(text)],
    {
      cluster: text,
      version: text,
      revision: text,
      state: text,
      ok: true,
      conditions: [],
      notBuilt: [{ policy: text, component: text }],
    },
    nowMs,
  );
  expect(xmlFault(page)).toBeUndefined();
  const comment = renderPlanMarkdown({
    apiVersion: "holdfast.dev/v1",
    kind: "Plan",
    revision: text,
    fingerprint: text,
    madeAt: text,
    actions: [{ kind: "delete-point", policy: text, reason: text, point: text }],
    refusals: [{ policy: text, guard: text, message: text, hint: text }],
    notes: [{ policy: text, severity: "info", message: text }],
  });
  expect(tableFaults(comment)).toEqual([]);
  expect(comment.length).toBeLessThan(65_536);
  expect(comment).not.toContain("<script");
}

describe("hostile texts", () => {
  it.each(hostile.map((text) => [text.slice(0, 20), text]))("%j breaks nothing", (_, text) => check(text));

  it("any text breaks nothing", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), check), { seed, numRuns: 60 });
  });

  it("the small XML check sees what an unescaped sign does", () => {
    expect(xmlFault("<a>x & y</a>")).toBeDefined();
    expect(xmlFault("<a><b></a></b>")).toBeDefined();
    expect(xmlFault('<a t="<">x</a>')).toBeDefined();
    expect(xmlFault("<a>x</a>")).toBeUndefined();
  });

  it("an XML parser takes the pictures and the page", () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-report-"));
    try {
      let number = 0;
      for (const text of hostile) {
        for (const [path, content] of hostileReport(text)) {
          number += 1;
          if (path.endsWith(".svg")) writeFileSync(join(folder, `${number}.svg`), content);
        }
      }
      const script =
        "import sys,glob,xml.dom.minidom as m\nfor f in glob.glob(sys.argv[1]+'/*.svg'): m.parse(f)\nprint('ok')";
      expect(execFileSync("python3", ["-c", script, folder], { encoding: "utf8" })).toBe("ok\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("metrics stay one line per value with hostile label values", async () => {
    const text = await renderMetrics({
      cluster: 'c"\n',
      version: "0\\1",
      nowMs,
      policies: hostile.slice(0, 8).map((name) => ({ health: hostileHealth(name) })),
      brokenPolicies: ["x\ny"],
      up: true,
    });
    for (const line of text.trimEnd().split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      expect(line).toMatch(/^[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)*\})? \S+$/);
    }
  });
});

describe("escapes", () => {
  it("leave nothing for markdown to read", () => {
    expect(escapeMarkdown("*a* _b_ `c` | <d> [e](f)")).toBe(
      "\\*a\\* \\_b\\_ \\`c\\` \\| &lt;d&gt; \\[e\\](f)",
    );
    expect(escapeMarkdown("ask @team about #12")).toBe("ask @<!-- -->team about \\#<!-- -->12");
    expect(codeSpan("a|b`c")).toBe("<code>a&#124;b&#96;c</code>");
    expect(codeSpan("postgresql")).toBe("`postgresql`");
    expect(escapeXml("<&\u0000\"'>")).toBe("&lt;&amp;\ufffd&quot;&#39;&gt;");
  });

  it("give different files to different names", () => {
    expect(fileSlug("postgresql")).toBe("postgresql");
    expect(fileSlug("a/b")).not.toBe(fileSlug("a-b"));
    expect(fileSlug("../../etc")).toMatch(/^[a-z0-9-]+$/);
  });
});
