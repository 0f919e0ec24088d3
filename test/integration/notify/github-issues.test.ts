/**
 * Thirty simulated days of failures against the stand-in, which holds each request and answer against GitHub's own
 * API description: one issue per cause, none doubled over restarts and outages, each closed by the proof that
 * mended it, also where the failure lay wholly inside an outage.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Catalogue } from "../../../src/catalogue/catalogue.ts";
import { mendingOf } from "../../../src/health/mending.ts";
import { silent } from "../../../src/log.ts";
import { openGithubIssues } from "../../../src/notify/github-issues.ts";
import type { Alert } from "../../../src/notify/notifier.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { renderIssue } from "../../../src/report/issue.ts";
import type { ConditionKind } from "../../../src/state/health.ts";
import { seededRandom } from "../../conformance/store.ts";
import { seed } from "../../seed.ts";
import { type Github, startGithub } from "../../servers/github.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

let nowMs: number;
let github: Github;
let token: string | undefined;
let folder: string;
/** Per policy: when each later point was restored. */
let proofs: { readonly policy: string; readonly atMs: number }[];
let log: string | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-issues-"));
  proofs = [];
  log = undefined;
  nowMs = Date.parse("2026-11-01T00:00:00Z");
  github = await startGithub({ repository: "octo-org/backups", clock: () => nowMs });
  token = github.token;
});
afterEach(async () => {
  expect(github.faults).toEqual([]);
  await github.close();
  await rm(folder, { recursive: true, force: true });
});

/** As much of a catalogue as proof is judged by: points that were restored in the hour after they were taken. */
function catalogueOf(policy: string): Catalogue {
  const points = proofs
    .filter((p) => p.policy === policy && p.atMs <= nowMs)
    .map(({ atMs }) => {
      const at = new Date(atMs).toISOString();
      return {
        manifest: { id: `point-${atMs}`, consistentAt: at, finishedAt: at },
        manifestSha256: "m",
        verdicts: [{ level: 4, ok: true, at, manifestSha256: "m", measured: {} }],
      };
    });
  return { points } as unknown as Catalogue;
}

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
    ledgerPath: join(folder, "issues.json"),
    render: async (owed) => {
      const { alert, sinceMs, heldMs, overMs = 0 } = owed;
      const policy = { name: alert.policy, verification: { checks: [{ level: 4 }] } } as unknown as Policy;
      const { isProved, ...rest } = mendingOf(policy, catalogueOf(alert.policy), {
        when: alert.when,
        sinceMs,
        heldMs,
      });
      const overAt = new Date(overMs).toISOString();
      const text = renderIssue({
        ...alert,
        owner: "platform",
        cluster: "bud",
        since: new Date(sinceMs).toISOString(),
        state:
          owed.overMs === undefined
            ? { kind: "holds" }
            : isProved
              ? { kind: "mended", overAt, text: rest.text }
              : { kind: "unproved", overAt, ...rest },
        ...(log === undefined ? {} : { log: { job: "redis/capture", text: log } }),
      });
      return { ...text, ending: isProved ? "proved" : "unproved" };
    },
  });

/** The point after the failure, and its restore. */
const prove = (policy: string) => proofs.push({ policy, atMs: nowMs });
const kinds: Readonly<Record<string, ConditionKind>> = {
  "Backup Failed": "backup-failed",
  "Backup Missing": "backup-missing",
  "Backup Too Small": "backup-too-small",
  "Verification Failed": "verification-failed",
  "Objective Missed": "rpo-missed",
};
const alert = (name: string, policy: string, message = "it failed"): Alert => ({
  name,
  severity: "critical",
  policy,
  when: kinds[name] ?? "backup-failed",
  message,
  hint: `holdfast backup ${policy}`,
  receivers: ["tickets"],
});
const openIssues = () => github.issues.filter((i) => i.state === "open");

describe("GitHub issues", () => {
  it(`hold one per cause over 20 failures in 30 days, restarts and outages (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const names = Object.keys(kinds);
    const policies = ["postgresql", "redis", "mongodb", "secrets"];
    const failures = Array.from({ length: 20 }, (_, i) => {
      const fromMs = nowMs + Math.floor(random() * 25 * dayMs);
      const toMs = fromMs + hourMs + Math.floor(random() * 3 * dayMs);
      return {
        name: names[i % 5] ?? "",
        policy: policies[Math.floor(i / 5)] ?? "",
        fromMs,
        toMs,
        /** When the first look saw it, and when the last look saw it to hold. */
        sinceMs: Number.NaN,
        heldMs: Number.NaN,
        provedMs: toMs + Math.floor(random() * 2 * dayMs),
      };
    });
    proofs = failures.map((f) => ({ policy: f.policy, atMs: f.provedMs }));
    const isMended = (f: (typeof failures)[number]) =>
      nowMs >= f.toMs &&
      proofs.some(
        (p) =>
          p.policy === f.policy &&
          p.atMs <= nowMs &&
          p.atMs > (f.name === "Verification Failed" ? f.sinceMs : f.heldMs),
      );
    const outages = Array.from({ length: 4 }, () => {
      const fromMs = nowMs + Math.floor(random() * 28 * dayMs);
      return { fromMs, toMs: fromMs + Math.floor(random() * 40 * hourMs) };
    });
    // One failure lies wholly inside an outage, and so does its proof.
    const hidden = failures[7]!;
    outages.push({ fromMs: hidden.fromMs - hourMs, toMs: hidden.provedMs + hourMs });
    const endMs = nowMs + 30 * dayMs;
    let issues = open();
    let undelivered = 0;
    for (; nowMs < endMs; nowMs += 10 * 60_000) {
      if (random() < 0.01) issues = open();
      const isDown = outages.some((o) => nowMs >= o.fromMs && nowMs < o.toMs);
      github.trouble = isDown
        ? ({ kind: random() < 0.5 ? "down" : "failing", status: 503 } as Github["trouble"])
        : random() < 0.05
          ? { kind: "answer-lost", times: 1 }
          : undefined;
      const holding = failures.filter((f) => nowMs >= f.fromMs && nowMs < f.toMs);
      for (const f of holding) {
        if (Number.isNaN(f.sinceMs)) f.sinceMs = nowMs;
        f.heldMs = nowMs;
      }
      const failed = await issues.update(
        holding.map((f) => alert(f.name, f.policy, `since ${Math.floor((nowMs - f.fromMs) / hourMs)} h`)),
        nowMs,
      );
      undelivered += failed.length;
      if (isDown || failed.length > 0) continue;
      const owed = failures.filter((f) => nowMs >= f.fromMs && !isMended(f));
      expect(
        openIssues()
          .map((i) => i.title)
          .sort(),
      ).toEqual(owed.map((f) => `${f.name}: ${f.policy}`).sort());
    }
    github.trouble = undefined;
    nowMs += dayMs;
    await issues.update([], nowMs);
    expect(openIssues()).toEqual([]);
    expect(undelivered).toBeGreaterThan(0);
    expect(github.issues.map((i) => i.title).sort()).toEqual(
      failures.map((f) => `${f.name}: ${f.policy}`).sort(),
    );
    for (const issue of github.issues) {
      expect(issue.stateReason).toBe("completed");
      expect(issue.body).toMatch(/\*\*Closed by proof:\*\* point point-\d+ of \S+ reached level 4 at/);
    }
    expect(JSON.parse(await readFile(join(folder, "issues.json"), "utf8"))).toEqual({ owed: [] });
    console.log(
      `${github.issues.length} issues for 20 failures, ${github.requests.length} requests, ${undelivered} looks without GitHub`,
    );
  }, 120_000);

  it("are not doubled by a second reconciler, nor by an answer that is lost", async () => {
    await open().update([alert("Backup Failed", "redis")], nowMs);
    await open().update([alert("Backup Failed", "redis")], nowMs);
    expect(github.issues).toHaveLength(1);
    github.trouble = { kind: "answer-lost", times: 1, only: "issues/create" } as Github["trouble"];
    const issues = open();
    const both = [alert("Backup Failed", "redis"), alert("Backup Missing", "redis")];
    expect(await issues.update(both, nowMs)).toHaveLength(1);
    github.trouble = undefined;
    nowMs += hourMs;
    expect(await issues.update(both, nowMs)).toEqual([]);
    expect(openIssues()).toHaveLength(2);
    // Two that looked in the same moment: the younger one goes.
    const first = openIssues()[0]!;
    github.issues.push({ ...first, number: 900, comments: [], createdAtMs: nowMs });
    nowMs += hourMs;
    await issues.update(both, nowMs);
    expect(openIssues().map((i) => i.number)).not.toContain(900);
    expect(openIssues()).toHaveLength(2);
  });

  it("wait as GitHub asks, and say so; an expired token is told and a new one taken", async () => {
    const issues = open();
    github.trouble = { kind: "secondary-limit", retryAfterSeconds: 90 };
    expect(await issues.update([alert("Backup Failed", "redis")], nowMs)).toEqual([
      { receiver: "tickets", reason: "GitHub asks to wait 90 s; 1 issue is owed" },
    ]);
    github.trouble = undefined;
    const asked = github.requests.length;
    nowMs += 60_000;
    expect(await issues.update([alert("Backup Failed", "redis")], nowMs)).toHaveLength(1);
    expect(github.requests.length).toBe(asked);
    nowMs += 31_000;
    expect(await issues.update([alert("Backup Failed", "redis")], nowMs)).toEqual([]);
    expect(openIssues()).toHaveLength(1);
    github.token = "renewed";
    nowMs += hourMs;
    const [failure] = await issues.update([alert("Backup Failed", "redis", "again")], nowMs);
    expect(failure?.reason).toContain("wrong or has expired");
    token = "renewed";
    nowMs += hourMs;
    prove("redis");
    nowMs += hourMs;
    expect(await issues.update([], nowMs)).toEqual([]);
    expect(openIssues()).toEqual([]);
    token = undefined;
    nowMs += hourMs;
    expect((await issues.update([alert("Backup Failed", "redis")], nowMs))[0]?.reason).toContain(
      "HOLDFAST_GITHUB_TOKEN",
    );
  });

  it("leave foreign issues alone, and what a message says cannot break out of one", async () => {
    const foreign = { title: "mine", body: "not yours", labels: ["holdfast"] };
    const issues = open();
    await issues.update([alert("Backup Failed", "redis")], nowMs);
    github.issues.push({ ...github.issues[0]!, ...foreign, number: 77, comments: [] });
    nowMs += hourMs;
    prove("redis");
    await issues.update([], nowMs);
    expect(openIssues().map((i) => i.number)).toEqual([77]);
    nowMs += hourMs;
    const hostile = alert(
      "Backup Failed",
      "redis",
      "@everyone --> <script>x</script> ![x](http://evil) <!-- holdfast {} -->",
    );
    await open().update([hostile], nowMs);
    const body = github.issues.at(-1)?.body ?? "";
    expect(body).not.toMatch(/(^|[^\\])@everyone|<script>|[^\\]!\[x\]/);
    nowMs += hourMs;
    prove("redis");
    await open().update([], nowMs);
    expect(openIssues().map((i) => i.number)).toEqual([77]);
  });

  it("stay open until a proof, whoever closes them, and a lost ledger changes nothing", async () => {
    await open().update([alert("Backup Failed", "redis")], nowMs);
    nowMs += 2 * hourMs;
    await open().update([], nowMs);
    const issue = github.issues[0]!;
    expect(issue.state).toBe("open");
    expect(issue.body).toContain("not proved to be mended: no recovery point was taken after");
    expect(issue.body).toContain("`holdfast backup redis`");
    await rm(join(folder, "issues.json"));
    nowMs += hourMs;
    await open().update([], nowMs);
    expect(openIssues()).toHaveLength(1);
    nowMs += hourMs;
    const again = open();
    await again.update([alert("Backup Failed", "redis")], nowMs);
    issue.state = "closed";
    nowMs += hourMs;
    await again.update([alert("Backup Failed", "redis")], nowMs);
    expect(github.issues.map((i) => i.state)).toEqual(["open"]);
    nowMs += hourMs;
    prove("redis");
    await open().update([], nowMs);
    expect(github.issues.map((i) => [i.state, i.stateReason])).toEqual([["closed", "completed"]]);
    // The same cause once more is another issue.
    nowMs += hourMs;
    await open().update([alert("Backup Failed", "redis")], nowMs);
    expect(github.issues).toHaveLength(2);
  });

  it("carry the end of the log in a fence that it cannot leave", async () => {
    log = [...Array(60).keys()].map((n) => `line ${n}`).join("\n");
    log += "\n```` @everyone <!-- holdfast {} -->\u0007\n";
    await open().update([alert("Backup Failed", "redis")], nowMs);
    const body = github.issues[0]?.body ?? "";
    expect(body).not.toContain("line 19\n");
    expect(body).toContain("line 59\n");
    const fence = /^(`{3,})text$/m.exec(body)?.[1] ?? "";
    expect(fence.length).toBe(5);
    expect(body.split("\n").filter((line) => line === fence)).toHaveLength(1);
    await open().update([alert("Backup Failed", "redis")], nowMs);
    expect(github.issues).toHaveLength(1);
  });
});
