/** What GitHub is given for pull requests of every kind, as files to be read; HOLDFAST_UPDATE=1 writes them anew. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSchemas } from "../../../src/cli/policy-files.ts";
import { reviewOf } from "../../../src/cli/review.ts";
import { lint } from "../../../src/lint/run.ts";
import { parseReview } from "../../../src/plan/review-shape.ts";
import { lintGithub } from "../../../src/report/lint-github.ts";
import { lintSarif } from "../../../src/report/lint-sarif.ts";
import { lintSummary } from "../../../src/report/lint-summary.ts";
import {
  mostCommentCharacters,
  renderReviewComment,
  reviewMarker,
} from "../../../src/report/review-comment.ts";
import { asOfMs, type Files, hostile, type PullRequest, pullRequests, usualStocks } from "./pull-requests.ts";

const golden = join(import.meta.dirname, "../../golden");
const schemas = await readSchemas();
const policies: Files = Object.fromEntries(
  readdirSync(join(golden, "policies")).map((name) => [
    name,
    readFileSync(join(golden, "policies", name), "utf8"),
  ]),
);

function side(files: Files, revision: string) {
  const listed = Object.entries(files).map(([name, text]) => ({
    path: `policies/${name}`,
    bytes: new TextEncoder().encode(text),
  }));
  const digest = createHash("sha256").update(JSON.stringify(files)).digest("hex");
  return { revision, files: listed, digest };
}

/** Everything that reaches GitHub for one pull request. */
function outputs(pull: PullRequest) {
  const before = pull.before?.(policies) ?? policies;
  const head = side(pull.change(before), "b".repeat(40));
  const review = reviewOf(side(before, "a".repeat(40)), head, schemas, {
    days: 400,
    pricePerGibMonth: 0.023,
    asOfMs,
    stocks: "stocks" in pull ? pull.stocks : usualStocks,
    command: (base, to) => `holdfast plan --base ${base} --head ${to} --as-of 2026-11-26T12:00:00.000Z`,
  });
  const found = lint(head.files, schemas, { nowMs: asOfMs });
  const sarif = lintSarif(found);
  return {
    review,
    comment: renderReviewComment(review, pull.links ?? {}),
    annotations: lintGithub(found),
    summary: lintSummary(found, head.files.length),
    sarif,
    results: JSON.parse(sarif).runs[0].results as readonly {
      readonly ruleId: string;
      readonly locations: readonly [
        { readonly physicalLocation: { readonly region: Record<string, number> } },
      ];
      readonly partialFingerprints: Record<string, string>;
    }[],
  };
}

/** What a person sees of markdown on GitHub that could harm: code, escapes and references are taken away first. */
function naked(markdown: string): string {
  return markdown
    .replace(/^```diff\n[^`]*^```$/gm, "")
    .replace(/<code>[^<]*<\/code>|`[^`\n]*`/g, "")
    .replace(/\\./g, "")
    .replace(/&(?:#\d+|[a-z]+);/g, "");
}

describe.each(pullRequests)("$name", (pull) => {
  const { review, comment, annotations, summary, sarif, results } = outputs(pull);

  it("is what the file says", () => {
    const alerts = results.slice(0, 20).map((r) => {
      const { startLine, startColumn, endLine, endColumn } = r.locations[0].physicalLocation.region;
      return `${r.ruleId} ${startLine}:${startColumn}-${endLine}:${endColumn} ${r.partialFingerprints["primaryLocationLineHash"]}`;
    });
    const text = [
      comment,
      "=== annotations\n",
      annotations,
      "=== alerts\n",
      [...alerts, `${results.length} in all`, ""].join("\n"),
    ].join("");
    const path = join(golden, "reviews", `${pull.name}.md`);
    if (process.env["HOLDFAST_UPDATE"] === "1") {
      mkdirSync(join(golden, "reviews"), { recursive: true });
      writeFileSync(path, text);
    }
    expect(text).toBe(readFileSync(path, "utf8"));
  });
  it("holds GitHub's limits", () => {
    expect(comment.length).toBeLessThanOrEqual(mostCommentCharacters);
    for (const kind of ["error", "warning", "notice"])
      expect(annotations.split("\n").filter((l) => l.startsWith(`::${kind} `)).length).toBeLessThanOrEqual(
        10,
      );
    expect(Buffer.byteLength(summary)).toBeLessThan(1024 * 1024);
    expect(results.length).toBeLessThan(25_000);
  });
  it("commands no runner, calls nobody and is no markup of whoever wrote it", () => {
    for (const text of [comment, summary]) {
      expect(text).not.toMatch(/^\s*::|##\[/m);
      expect(naked(text)).not.toMatch(/<(?!\/?(?:details|summary|sub)>|!-- (?:-->|holdfast-review -->)|br>)/);
      expect(naked(text)).not.toMatch(
        /(?:^|[^\w])@\w|(?:^|[^\w])#\d|\]\((?!https:\/\/github\.com\/(?:octo-org|mallory)\/)/m,
      );
      expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    }
    expect(comment.split(reviewMarker)).toHaveLength(2);
    for (const line of annotations.split("\n"))
      expect(line).toMatch(/^$|^::(?:error|warning|notice) file=|^Not annotated: /);
  });
  it("tells no secret", () => {
    for (const secret of pull.secrets ?? [])
      for (const text of [comment, annotations, summary, sarif, JSON.stringify(review)])
        expect(text).not.toContain(secret);
  });
  it("comes through a file as it is", () => {
    expect(parseReview(JSON.parse(JSON.stringify(review)))).toEqual(review);
  });
});

describe("a review that a stranger has made up", () => {
  const base = outputs(pullRequests.find((p) => p.name === "fewer-days") as PullRequest).review;
  /** Every text of the review in turn, hostile. */
  function* spoilt(value: unknown, put: (text: unknown) => unknown): Generator<unknown> {
    if (typeof value === "string") yield put(hostile);
    else if (typeof value === "number") yield put("1");
    else if (Array.isArray(value))
      for (const [i, item] of value.entries())
        yield* spoilt(item, (t) => put(value.map((v, n) => (n === i ? t : v))));
    else if (typeof value === "object" && value !== null)
      for (const [name, item] of Object.entries(value))
        yield* spoilt(item, (t) => put({ ...value, [name]: t }));
  }
  it("is refused, or says it as text and nothing else", () => {
    let refused = 0;
    let told = 0;
    for (const value of spoilt(base, (text) => text)) {
      const review = parseReview(value);
      if ("misfit" in review) {
        refused += 1;
        continue;
      }
      told += 1;
      const comment = renderReviewComment(review, {});
      expect(comment.length).toBeLessThanOrEqual(mostCommentCharacters);
      // In the fence of the plan it is text like any other.
      expect(naked(comment).split(reviewMarker)).toHaveLength(2);
      expect(naked(comment)).not.toMatch(
        /<(?!\/?(?:details|summary|sub)>|!-- (?:-->|holdfast-review -->))|(?:^|[^\w])@\w/m,
      );
      expect(comment).not.toMatch(/^\s*::|##\[/m);
    }
    expect(refused).toBeGreaterThan(100);
    expect(told).toBeGreaterThan(20);
  });
});
