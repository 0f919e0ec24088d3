/**
 * One GitHub issue per cause. What is open there is the only memory: each look compares it with what holds now,
 * opens what is missing, edits what has changed, closes what is over. So a restart, a second reconciler or an hour
 * without GitHub doubles and loses nothing that still holds. @see docs/decisions/0012
 */
import { createHash } from "node:crypto";
import type { Octokit } from "octokit";
import type { Logger } from "../log.ts";
import type { Receiver } from "../policy/model.ts";
import type { Clock } from "../time/clock.ts";
import { githubClient, type Place, refusalOf } from "./github-client.ts";
import type { Alert, Undelivered } from "./notifier.ts";

const label = "holdfast";
/** Messages carry ages that grow by the minute; a person need not be told each of them. */
const editEveryMs = 60 * 60_000;
/** Without anything to tell, the open issues are looked at this often. */
const idleLookMs = 15 * 60_000;
const pageSize = 100;

export interface IssueText {
  readonly title: string;
  readonly body: string;
}

export interface IssuesInput {
  readonly receivers: () => readonly Receiver[];
  readonly cluster: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined where none is configured; read anew each time, so that a renewed one is taken. */
  readonly token: () => string | undefined;
  /** `https://api.github.com` unless an enterprise server is meant. */
  readonly apiUrl: string;
  readonly render: (alert: Alert) => IssueText;
  /** What is said when the cause is gone. */
  readonly farewell: (policy: string) => { readonly text: string; readonly isMended: boolean };
}

export interface Issues {
  /** Makes the open issues equal to the alerts that hold. Call it only with the whole of what holds. */
  update(alerts: readonly Alert[]): Promise<readonly Undelivered[]>;
}

interface OpenIssue {
  readonly number: number;
  readonly body: string;
  readonly updatedAtMs: number;
}

interface Marker {
  readonly cluster: string;
  readonly policy: string;
  readonly cause: string;
}

export function openGithubIssues(input: IssuesInput): Issues {
  const { clock, log } = input;
  /** Per receiver. */
  const states = new Map<string, { lookedAtMs: number; open: number; waitUntilMs: number; why: string }>();

  async function look(receiver: Receiver, alerts: readonly Alert[]): Promise<Undelivered | undefined> {
    const state = states.get(receiver.name) ?? { lookedAtMs: 0, open: 0, waitUntilMs: 0, why: "" };
    states.set(receiver.name, state);
    const nowMs = clock.nowMs();
    const isIdle = alerts.length === 0 && state.open === 0 && nowMs - state.lookedAtMs < idleLookMs;
    if (isIdle) return undefined;
    if (nowMs < state.waitUntilMs) return { receiver: receiver.name, reason: state.why };
    try {
      state.open = await converge(input, receiver, alerts);
      state.lookedAtMs = nowMs;
      return undefined;
    } catch (error) {
      const { reason, waitMs } = refusalOf(error, nowMs);
      state.waitUntilMs = nowMs + waitMs;
      state.why = reason;
      log.error("issues could not be brought up to date", { receiver: receiver.name, reason });
      return { receiver: receiver.name, reason };
    }
  }

  return {
    update: async (alerts) => {
      const failures: Undelivered[] = [];
      for (const receiver of input.receivers()) {
        if (receiver.type !== "github-issue") continue;
        const own = alerts.filter((alert) => alert.receivers.includes(receiver.name));
        const failure = await look(receiver, own);
        if (failure !== undefined) failures.push(failure);
      }
      return failures;
    },
  };
}

/** How many issues of ours are open afterwards. */
async function converge(input: IssuesInput, receiver: Receiver, alerts: readonly Alert[]): Promise<number> {
  const place = placeOf(receiver);
  const client = await githubClient({ token: input.token(), apiUrl: input.apiUrl });
  const cluster = input.cluster();
  const open = await listOpen(client, place, cluster);
  const wanted = new Map(alerts.map((alert) => [causeOf(cluster, alert), alert]));
  for (const [cause, issues] of open) {
    const [kept, ...doubles] = issues;
    // Two reconcilers may have opened one each in the same moment; the older one stays.
    for (const { issue } of doubles)
      await close(client, place, issue.number, `A double of #${kept?.issue.number}.`, false);
    if (kept === undefined || wanted.has(cause)) continue;
    const { text, isMended } = input.farewell(kept.marker.policy);
    await close(client, place, kept.issue.number, text, isMended);
  }
  for (const [cause, alert] of wanted) {
    const text = withMarker(input.render(alert), { cluster, policy: alert.policy, cause });
    const [known] = open.get(cause) ?? [];
    if (known === undefined) {
      await client.rest.issues.create({ ...place, title: text.title, body: text.body, labels: [label] });
    } else if (
      known.issue.body !== text.body &&
      input.clock.nowMs() - known.issue.updatedAtMs >= editEveryMs
    ) {
      await client.rest.issues.update({
        ...place,
        issue_number: known.issue.number,
        title: text.title,
        body: text.body,
      });
    }
  }
  return wanted.size;
}

/** `https://github.com/OWNER/REPOSITORY`, whatever follows. @throws Error for another address */
function placeOf({ url }: Receiver): Place {
  const [owner, repo] = new URL(url).pathname.split("/").filter((part) => part !== "");
  if (owner === undefined || repo === undefined) throw new Error(`'${url}' names no repository`);
  return { owner, repo: repo.replace(/\.git$/, "") };
}

type Found = ReadonlyMap<string, readonly { readonly issue: OpenIssue; readonly marker: Marker }[]>;

/** Open issues of this cluster by cause, the oldest first. */
async function listOpen(client: Octokit, place: Place, cluster: string): Promise<Found> {
  const found = new Map<string, { issue: OpenIssue; marker: Marker }[]>();
  for (let page = 1; ; page += 1) {
    const { data } = await client.rest.issues.listForRepo({
      ...place,
      labels: label,
      state: "open",
      sort: "created",
      direction: "asc",
      per_page: pageSize,
      page,
    });
    for (const entry of data) {
      const body = entry.body ?? "";
      const marker = markerIn(body);
      if (marker === undefined || marker.cluster !== cluster || entry.pull_request !== undefined) continue;
      const issue = { number: entry.number, body, updatedAtMs: Date.parse(entry.updated_at) };
      found.set(marker.cause, [...(found.get(marker.cause) ?? []), { issue, marker }]);
    }
    if (data.length < pageSize) return found;
  }
}

async function close(
  client: Octokit,
  place: Place,
  number: number,
  body: string,
  isMended: boolean,
): Promise<void> {
  await client.rest.issues.createComment({ ...place, issue_number: number, body });
  await client.rest.issues.update({
    ...place,
    issue_number: number,
    state: "closed",
    state_reason: isMended ? "completed" : "not_planned",
  });
}

/** The same for the same cause, whatever the message says of it by now. */
function causeOf(cluster: string, { name, policy }: Alert): string {
  return createHash("sha256").update([cluster, name, policy].join("\n")).digest("hex").slice(0, 16);
}

function withMarker({ title, body }: IssueText, marker: Marker): IssueText {
  // A comment of HTML ends at the first "-->", which no name and no hash can hold.
  return { title, body: `${body}\n\n<!-- holdfast ${JSON.stringify(marker)} -->` };
}

function markerIn(body: string): Marker | undefined {
  const text = /<!-- holdfast (\{[^>]*\}) -->\s*$/.exec(body)?.[1];
  if (text === undefined) return undefined;
  try {
    const { cluster, policy, cause } = JSON.parse(text) as Partial<Marker>;
    return typeof cluster === "string" && typeof policy === "string" && typeof cause === "string"
      ? { cluster, policy, cause }
      : undefined;
  } catch {
    return undefined;
  }
}
