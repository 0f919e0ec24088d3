/**
 * Thirty simulated days of failures against the stand-in, which holds each request and answer against GitHub's own
 * API description: one issue per cause, none doubled over restarts and outages, each closed when its cause is gone.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silent } from "../../../src/log.ts";
import { openGithubIssues } from "../../../src/notify/github-issues.ts";
import type { Alert } from "../../../src/notify/notifier.ts";
import { renderFarewell, renderIssue } from "../../../src/report/issue.ts";
import { seededRandom } from "../../conformance/store.ts";
import { type Github, startGithub } from "../../servers/github.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const seed = Number(process.env["HOLDFAST_SEED"] ?? Math.floor(Math.random() * 1e6));

let nowMs: number;
let github: Github;
let token: string | undefined;

beforeEach(async () => {
  nowMs = Date.parse("2026-11-01T00:00:00Z");
  github = await startGithub({ repository: "octo-org/backups", clock: () => nowMs });
  token = github.token;
});
afterEach(async () => {
  expect(github.faults).toEqual([]);
  await github.close();
});

const open = () =>
  openGithubIssues({
    receivers: () => [
      { name: "tickets", type: "github-issue", url: "https://github.com/octo-org/backups" },
      { name: "elsewhere", type: "webhook", url: "http://127.0.0.1:9/" },
    ],
    cluster: () => "bud",
    clock: { nowMs: () => nowMs, wait: async () => undefined },
    log: silent,
    token: () => token,
    apiUrl: github.url,
    render: (alert) => renderIssue({ ...alert, owner: "platform", cluster: "bud" }),
    farewell: (policy) => ({
      text: renderFarewell(policy, true, "Proved: point P at level 4."),
      isMended: true,
    }),
  });

const alert = (name: string, policy: string, message = "it failed"): Alert => ({
  name,
  severity: "critical",
  policy,
  message,
  hint: `holdfast backup ${policy}`,
  receivers: ["tickets"],
});
const openIssues = () => github.issues.filter((i) => i.state === "open");

describe("GitHub issues", () => {
  it(`hold one per cause over 20 failures in 30 days, restarts and outages (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const names = [
      "Backup Failed",
      "Backup Missing",
      "Backup Too Small",
      "Verification Failed",
      "Objective Missed",
    ];
    const policies = ["postgresql", "redis", "mongodb", "secrets"];
    const failures = Array.from({ length: 20 }, (_, i) => {
      const fromMs = nowMs + Math.floor(random() * 25 * dayMs);
      return {
        name: names[i % 5] ?? "",
        policy: policies[Math.floor(i / 5)] ?? "",
        fromMs,
        toMs: fromMs + hourMs + Math.floor(random() * 3 * dayMs),
      };
    });
    const outages = Array.from({ length: 4 }, () => {
      const fromMs = nowMs + Math.floor(random() * 28 * dayMs);
      return { fromMs, toMs: fromMs + Math.floor(random() * 40 * hourMs) };
    });
    const endMs = nowMs + 30 * dayMs;
    let issues = open();
    let undelivered = 0;
    for (; nowMs < endMs; nowMs += 10 * 60_000) {
      if (random() < 0.01) issues = open();
      const isDown = outages.some((o) => nowMs >= o.fromMs && nowMs < o.toMs);
      github.trouble = isDown
        ? ({ kind: random() < 0.5 ? "down" : "failing", status: 503 } as Github["trouble"])
        : undefined;
      const holding = failures.filter((f) => nowMs >= f.fromMs && nowMs < f.toMs);
      const failed = await issues.update(
        holding.map((f) => alert(f.name, f.policy, `since ${Math.floor((nowMs - f.fromMs) / hourMs)} h`)),
      );
      undelivered += failed.length;
      if (isDown || failed.length > 0) continue;
      expect(
        openIssues()
          .map((i) => i.title)
          .sort(),
      ).toEqual(holding.map((f) => `${f.name}: ${f.policy}`).sort());
    }
    github.trouble = undefined;
    nowMs += dayMs;
    await issues.update([]);
    expect(openIssues()).toEqual([]);
    expect(undelivered).toBeGreaterThan(0);
    for (const issue of github.issues) {
      expect(issue.stateReason).toBe("completed");
      expect(issue.comments.map((c) => c.body)).toEqual(["The cause is gone. Proved: point P at level 4."]);
    }
    const perCause = new Map<string, number>();
    for (const { title } of github.issues) perCause.set(title, (perCause.get(title) ?? 0) + 1);
    expect([...perCause.values()].every((count) => count === 1)).toBe(true);
    console.log(
      `${github.issues.length} issues for 20 failures, ${github.requests.length} requests, ${undelivered} looks without GitHub`,
    );
    expect(github.issues.length).toBeGreaterThanOrEqual(15);
  }, 120_000);

  it("are not doubled by a second reconciler, nor by an answer that is lost", async () => {
    await open().update([alert("Backup Failed", "redis")]);
    await open().update([alert("Backup Failed", "redis")]);
    expect(github.issues).toHaveLength(1);
    github.trouble = { kind: "answer-lost", times: 1, only: "issues/create" } as Github["trouble"];
    const issues = open();
    const both = [alert("Backup Failed", "redis"), alert("Backup Missing", "redis")];
    expect(await issues.update(both)).toHaveLength(1);
    github.trouble = undefined;
    nowMs += hourMs;
    expect(await issues.update(both)).toEqual([]);
    expect(openIssues()).toHaveLength(2);
    // Two that looked in the same moment: the younger one goes.
    const first = openIssues()[0]!;
    github.issues.push({ ...first, number: 900, comments: [], createdAtMs: nowMs });
    nowMs += hourMs;
    await issues.update(both);
    expect(openIssues().map((i) => i.number)).not.toContain(900);
    expect(openIssues()).toHaveLength(2);
  });

  it("wait as GitHub asks, and say so; an expired token is told and a new one taken", async () => {
    const issues = open();
    github.trouble = { kind: "secondary-limit", retryAfterSeconds: 90 };
    expect(await issues.update([alert("Backup Failed", "redis")])).toEqual([
      { receiver: "tickets", reason: "GitHub asks to wait 90 s" },
    ]);
    github.trouble = undefined;
    const asked = github.requests.length;
    nowMs += 60_000;
    expect(await issues.update([alert("Backup Failed", "redis")])).toHaveLength(1);
    expect(github.requests.length).toBe(asked);
    nowMs += 31_000;
    expect(await issues.update([alert("Backup Failed", "redis")])).toEqual([]);
    expect(openIssues()).toHaveLength(1);
    github.token = "renewed";
    nowMs += hourMs;
    const [failure] = await issues.update([alert("Backup Failed", "redis", "again")]);
    expect(failure?.reason).toContain("wrong or has expired");
    token = "renewed";
    nowMs += hourMs;
    expect(await issues.update([])).toEqual([]);
    expect(openIssues()).toEqual([]);
    token = undefined;
    nowMs += hourMs;
    expect((await issues.update([alert("Backup Failed", "redis")]))[0]?.reason).toContain(
      "HOLDFAST_GITHUB_TOKEN",
    );
  });

  it("leave foreign issues alone, and what a message says cannot break out of one", async () => {
    const foreign = { title: "mine", body: "not yours", labels: ["holdfast"] };
    const issues = open();
    await issues.update([alert("Backup Failed", "redis")]);
    github.issues.push({ ...github.issues[0]!, ...foreign, number: 77, comments: [] });
    await issues.update([]);
    expect(openIssues().map((i) => i.number)).toEqual([77]);
    nowMs += hourMs;
    const hostile = alert(
      "Backup Failed",
      "redis",
      "@everyone --> <script>x</script> ![x](http://evil) <!-- holdfast {} -->",
    );
    await open().update([hostile]);
    const body = github.issues.at(-1)?.body ?? "";
    expect(body).not.toMatch(/(^|[^\\])@everyone|<script>|[^\\]!\[x\]/);
    await open().update([]);
    expect(openIssues().map((i) => i.number)).toEqual([77]);
  });
});
