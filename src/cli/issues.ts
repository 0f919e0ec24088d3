/** Wires GitHub issues: the token from the environment, texts from `report`, proof from what was seen last. */
import { join } from "node:path";
import { mendingOf } from "../health/mending.ts";
import { type Ending, type Issues, openGithubIssues } from "../notify/github-issues.ts";
import type { OwedIssue } from "../notify/issue-ledger.ts";
import type { Observation } from "../operate/observe.ts";
import type { Platform } from "../platform/platform.ts";
import { type IssueFacts, type IssueState, renderIssue } from "../report/issue.ts";
import { redact, rememberSecret } from "../secret.ts";
import type { ConditionKind } from "../state/health.ts";
import { concerns, type JobKind, type Run } from "../state/job.ts";
import { systemClock } from "../time/clock.ts";
import type { WiredWorld, WireOptions } from "./wire.ts";

const usualApiUrl = "https://api.github.com";
const tailBytes = 32_768;

export interface IssuesWiring extends Pick<WireOptions, "log"> {
  readonly world: () => WiredWorld;
  readonly seen: () => Observation | undefined;
  readonly platform: Pick<Platform, "logTail">;
  readonly lastReportAt: () => string | undefined;
}

/** The reconciler's issues, owed on disk in its state folder. */
export function openIssues(wiring: IssuesWiring): Issues {
  const { world } = wiring;
  return openGithubIssues({
    receivers: () => world().set.receivers,
    cluster: () => world().cluster,
    clock: systemClock,
    log: wiring.log,
    token: () => {
      const token = process.env["HOLDFAST_GITHUB_TOKEN"];
      if (token !== undefined && token !== "") rememberSecret(token);
      return token;
    },
    apiUrl: process.env["GITHUB_API_URL"] ?? usualApiUrl,
    ledgerPath: join(world().stateDirectory, "issues.json"),
    render: async (owed) => {
      const state = stateOf(wiring, owed);
      const log = state.kind === "holds" ? await logOf(wiring, owed) : undefined;
      const { name, severity, policy, message, hint } = owed.alert;
      const facts: IssueFacts = {
        name,
        severity,
        policy,
        message: redact(message),
        hint: redact(hint),
        owner: world().set.policies.find((p) => p.name === policy)?.owner ?? "",
        cluster: world().cluster,
        since: new Date(owed.sinceMs).toISOString(),
        state,
        ...(log === undefined ? {} : { log }),
      };
      return { ...renderIssue(facts), ...endingOf(state) };
    },
  });
}

function endingOf(state: IssueState): { readonly ending?: Ending } {
  if (state.kind === "mended") return { ending: "proved" };
  return state.kind === "gone" ? { ending: "gone" } : {};
}

function stateOf(wiring: IssuesWiring, { alert, sinceMs, heldMs, overMs }: OwedIssue): IssueState {
  if (overMs === undefined) return { kind: "holds" };
  const overAt = new Date(overMs).toISOString();
  const policy = wiring.world().set.policies.find((p) => p.name === alert.policy);
  const own = ownProof(wiring, alert.when);
  if (own !== undefined) return { kind: "mended", overAt, text: own };
  // What is about no policy is about the reconciler, and its own look is all there is to ask.
  if (alert.policy === "")
    return { kind: "mended", overAt, text: "the reconciler's own look finds it no more." };
  if (policy === undefined) return { kind: "gone", overAt };
  const catalogue = wiring.seen()?.catalogues.get(policy.name);
  const { isProved, text, next } = mendingOf(policy, catalogue, { when: alert.when, sinceMs, heldMs });
  return isProved ? { kind: "mended", overAt, text } : { kind: "unproved", overAt, text, next };
}

/** What Holdfast itself had failed at is proved by its having done it. Undefined for what is about backups. */
function ownProof({ world, lastReportAt }: IssuesWiring, when: ConditionKind): string | undefined {
  if (when === "report-overdue") return `a report was committed at ${lastReportAt() ?? "an unknown time"}.`;
  if (when === "policy-broken" || when === "review-missing")
    return `revision ${world().revision} is in force.`;
  if (when === "uncovered" || when === "coverage-unknown")
    return "a later look at the sources finds it backed up or accepted.";
  if (when === "alert-undelivered") return "every receiver of the alert table was told.";
  return undefined;
}

const kindsOf: Readonly<Partial<Record<ConditionKind, readonly JobKind[]>>> = {
  "verification-failed": ["verify"],
  "verification-overdue": ["verify"],
  unproven: ["verify"],
  "escrow-unproven": ["verify"],
  "report-overdue": ["report"],
  "rpo-missed": ["log", "capture"],
  "pitr-gap": ["log", "capture"],
  "log-behind": ["log"],
  "log-slot-lost": ["log"],
};

/** The end of the log of the job whose newest run has failed, the latest of them. */
async function logOf({ seen, platform }: IssuesWiring, { alert }: OwedIssue): Promise<IssueFacts["log"]> {
  const kinds = kindsOf[alert.when] ?? ["capture", "log"];
  const failed = (seen()?.actual.jobs ?? [])
    .filter(({ job }) => kinds.includes(job.kind) && (concerns(job, alert.policy) || job.kind === "report"))
    .flatMap(({ runs }): readonly Run[] => runs.filter((r) => r.outcome !== "running").slice(0, 1))
    .filter((run) => run.outcome !== "succeeded")
    .sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1))[0];
  if (failed === undefined || platform.logTail === undefined) return undefined;
  const text = await platform.logTail(failed.key, tailBytes).catch(() => "");
  return text === "" ? undefined : { job: failed.key, text: redact(text) };
}
