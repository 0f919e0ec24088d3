/**
 * One GitHub issue per cause. Each look writes down what is owed, compares it with what is open there, opens what
 * is missing, edits what has changed, and closes what is proved to be mended. What is open is a second memory, so
 * a lost ledger, a restart or a second reconciler doubles nothing. @see docs/decisions/0012
 */
import { createHash } from "node:crypto";
import type { Octokit } from "octokit";
import type { Logger } from "../log.ts";
import type { Receiver } from "../policy/model.ts";
import type { ConditionKind } from "../state/health.ts";
import type { Clock } from "../time/clock.ts";
import { githubClient, type Place, refusalOf } from "./github-client.ts";
import { type IssueLedger, type OwedIssue, openIssueLedger } from "./issue-ledger.ts";
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

/** What may close an issue whose cause is seen no more. */
export type Ending = "proved" | "unproved" | "gone";

export interface IssuesInput {
  readonly receivers: () => readonly Receiver[];
  readonly cluster: () => string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined where none is configured; read anew each time, so that a renewed one is taken. */
  readonly token: () => string | undefined;
  /** `https://api.github.com` unless an enterprise server is meant. */
  readonly apiUrl: string;
  /** File of what is owed; without one a failure that is over before GitHub is back leaves no issue. */
  readonly ledgerPath?: string;
  /** Text of what is owed, as it stands now, and whether it may be closed. */
  readonly render: (owed: OwedIssue) => Promise<IssueText & { readonly ending?: Ending }>;
}

export interface Issues {
  /**
   * Makes the open issues equal to what is owed: what holds, and what is over and not proved to be mended. Call it
   * only with the whole of what held at `seenAtMs`.
   */
  update(alerts: readonly Alert[], seenAtMs: number): Promise<readonly Undelivered[]>;
}

interface Marker {
  readonly cluster: string;
  readonly policy: string;
  readonly cause: string;
  /** Name of the alert and its condition; missing in issues of older versions. */
  readonly alert?: string;
  readonly when?: ConditionKind;
  readonly since?: string;
}

export function openGithubIssues(input: IssuesInput): Issues {
  const { clock, log } = input;
  /** Per receiver. */
  const states = new Map<string, { lookedAtMs: number; open: number; waitUntilMs: number; why: string }>();
  let opening: Promise<IssueLedger> | undefined;
  const openLedger = () => {
    opening ??= openIssueLedger(input.ledgerPath);
    return opening;
  };

  async function look(receiver: Receiver, ledger: IssueLedger): Promise<Undelivered | undefined> {
    const state = states.get(receiver.name) ?? { lookedAtMs: 0, open: 0, waitUntilMs: 0, why: "" };
    states.set(receiver.name, state);
    const nowMs = clock.nowMs();
    const isIdle = ledger.of(receiver.name).length === 0 && state.open === 0;
    if (isIdle && nowMs - state.lookedAtMs < idleLookMs) return undefined;
    const owing = () => {
      const count = ledger.of(receiver.name).filter((o) => o.issue === undefined).length;
      return count === 0 ? "" : `; ${count} ${count === 1 ? "issue is" : "issues are"} owed`;
    };
    if (nowMs < state.waitUntilMs) return { receiver: receiver.name, reason: `${state.why}${owing()}` };
    try {
      state.open = await converge(input, receiver, ledger);
      state.lookedAtMs = nowMs;
      return undefined;
    } catch (error) {
      const { reason, waitMs } = refusalOf(error, nowMs);
      state.waitUntilMs = nowMs + waitMs;
      state.why = reason;
      log.error("issues could not be brought up to date", { receiver: receiver.name, reason });
      return { receiver: receiver.name, reason: `${reason}${owing()}` };
    } finally {
      await ledger.save();
    }
  }

  return {
    update: async (alerts, seenAtMs) => {
      const ledger = await openLedger();
      const receivers = input.receivers().filter((r) => r.type === "github-issue");
      for (const receiver of receivers) {
        const own = alerts.filter((alert) => alert.receivers.includes(receiver.name));
        note(ledger, receiver.name, input.cluster(), own, { seenAtMs, nowMs: clock.nowMs() });
      }
      // On disk before GitHub is asked: what happens from here on can be lost.
      await ledger.save();
      const failures: Undelivered[] = [];
      for (const receiver of receivers) {
        const failure = await look(receiver, ledger);
        if (failure !== undefined) failures.push(failure);
      }
      return failures;
    },
  };
}

/** The ledger knows every cause that holds, and since when each of the others is over. */
function note(
  ledger: IssueLedger,
  receiver: string,
  cluster: string,
  alerts: readonly Alert[],
  { seenAtMs, nowMs }: { readonly seenAtMs: number; readonly nowMs: number },
): void {
  const holding = new Map<string, Alert>();
  for (const alert of alerts) {
    const cause = causeOf(cluster, alert.name, alert.policy);
    const other = holding.get(cause);
    // Two rows of a checklist that fail are one cause with two messages.
    const message = other === undefined ? alert.message : `${other.message}; ${alert.message}`;
    holding.set(cause, { ...alert, message });
  }
  for (const [cause, alert] of holding) {
    const owed = ledger.find(receiver, cause) ?? { receiver, cause, alert, sinceMs: nowMs, heldMs: seenAtMs };
    owed.alert = alert;
    owed.heldMs = Math.max(owed.heldMs, seenAtMs);
    delete owed.overMs;
    ledger.put(owed);
  }
  for (const owed of ledger.of(receiver)) if (!holding.has(owed.cause)) owed.overMs ??= nowMs;
}

/** How many issues of ours are open afterwards. */
async function converge(input: IssuesInput, receiver: Receiver, ledger: IssueLedger): Promise<number> {
  const place = placeOf(receiver);
  const client = await githubClient({ token: input.token(), apiUrl: input.apiUrl });
  const cluster = input.cluster();
  const open = await listOpen(client, place, cluster);
  for (const [cause, [kept, ...doubles]] of open) {
    // Two reconcilers may have opened one each in the same moment; the older one stays.
    for (const { issue } of doubles) await closeDouble(client, place, issue.number, kept?.issue.number);
    if (kept !== undefined) adopt(ledger, receiver.name, cause, kept, input.clock.nowMs());
  }
  let count = 0;
  for (const owed of ledger.of(receiver.name)) {
    const known = open.get(owed.cause)?.[0]?.issue ?? (await stillThere(client, place, owed));
    if (known?.isOpen !== true && owed.overMs !== undefined && owed.issue !== undefined) {
      // Closed by us just before a crash, or by a person: nothing is owed any more.
      ledger.strike(owed);
      continue;
    }
    const isOpen = await bring(client, place, input, owed, known, ledger);
    if (isOpen) count += 1;
    await ledger.save();
  }
  return count;
}

/** Makes the issue of one cause say what is so, and closes it once that is allowed. True when it stays open. */
async function bring(
  client: Octokit,
  place: Place,
  input: IssuesInput,
  owed: OwedIssue,
  known: KnownIssue | undefined,
  ledger: IssueLedger,
): Promise<boolean> {
  const { ending = "unproved", ...plain } = await input.render(owed);
  const isEnd = owed.overMs !== undefined && ending !== "unproved";
  const { title, body } = withMarker(plain, {
    cluster: input.cluster(),
    policy: owed.alert.policy,
    cause: owed.cause,
    alert: owed.alert.name,
    when: owed.alert.when,
    since: new Date(owed.sinceMs).toISOString(),
  });
  if (known === undefined) {
    const { data } = await client.rest.issues.create({ ...place, title, body, labels: [label] });
    owed.issue = data.number;
    await ledger.save();
  }
  const number = known?.number ?? owed.issue;
  if (number === undefined) return true;
  if (isEnd) {
    // The proof and the closing are one request: no crash can leave an issue closed without its proof.
    const reason = ending === "proved" ? "completed" : "not_planned";
    await client.rest.issues.update({
      ...place,
      issue_number: number,
      title,
      body,
      state: "closed",
      state_reason: reason,
    });
    ledger.strike(owed);
    return false;
  }
  // Closed by a person while the cause goes on: only proof closes it.
  if (known?.isOpen === false)
    await client.rest.issues.update({ ...place, issue_number: number, title, body, state: "open" });
  else if (
    known !== undefined &&
    known.body !== body &&
    input.clock.nowMs() - known.updatedAtMs >= editEveryMs
  )
    await client.rest.issues.update({ ...place, issue_number: number, title, body });
  return true;
}

/** An issue that is open belongs to the ledger, also where the ledger was lost. */
function adopt(
  ledger: IssueLedger,
  receiver: string,
  cause: string,
  { issue, marker }: { readonly issue: KnownIssue; readonly marker: Marker },
  nowMs: number,
): void {
  const sinceMs = Date.parse(marker.since ?? issue.createdAt);
  const owed = ledger.find(receiver, cause);
  if (owed !== undefined) {
    owed.sinceMs = Math.min(owed.sinceMs, sinceMs);
    owed.issue = issue.number;
    return;
  }
  const alert: Alert = {
    name: marker.alert ?? issue.title.split(":")[0] ?? "",
    severity: "warning",
    policy: marker.policy,
    when: marker.when ?? "backup-failed",
    message: "What it said is no longer known here.",
    hint: "holdfast status",
    receivers: [receiver],
  };
  ledger.put({ receiver, cause, alert, sinceMs, heldMs: sinceMs, overMs: nowMs, issue: issue.number });
}

/** A list may lag behind; the issue itself does not. Undefined when there is none any more. */
async function stillThere(client: Octokit, place: Place, owed: OwedIssue): Promise<KnownIssue | undefined> {
  if (owed.issue === undefined) return undefined;
  try {
    const { data } = await client.rest.issues.get({ ...place, issue_number: owed.issue });
    return knownIssue(data);
  } catch (error) {
    const { status } = error as { status?: number };
    if (status === 404 || status === 410) return undefined;
    throw error;
  }
}

/** `https://github.com/OWNER/REPOSITORY`, whatever follows. @throws Error for another address */
function placeOf({ url }: Receiver): Place {
  const [owner, repo] = new URL(url).pathname.split("/").filter((part) => part !== "");
  if (owner === undefined || repo === undefined) throw new Error(`'${url}' names no repository`);
  return { owner, repo: repo.replace(/\.git$/, "") };
}

interface KnownIssue {
  readonly number: number;
  readonly title: string;
  readonly body: string;
  readonly isOpen: boolean;
  readonly createdAt: string;
  readonly updatedAtMs: number;
}

type Found = ReadonlyMap<string, readonly { readonly issue: KnownIssue; readonly marker: Marker }[]>;

/** Open issues of this cluster by cause, the oldest first. */
async function listOpen(client: Octokit, place: Place, cluster: string): Promise<Found> {
  const found = new Map<string, { issue: KnownIssue; marker: Marker }[]>();
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
      const issue = knownIssue(entry);
      const marker = markerIn(issue.body);
      if (marker === undefined || marker.cluster !== cluster || entry.pull_request !== undefined) continue;
      found.set(marker.cause, [...(found.get(marker.cause) ?? []), { issue, marker }]);
    }
    if (data.length < pageSize) return found;
  }
}

function knownIssue(entry: {
  readonly number: number;
  readonly title: string;
  readonly body?: string | null | undefined;
  readonly state: string;
  readonly created_at: string;
  readonly updated_at: string;
}): KnownIssue {
  return {
    number: entry.number,
    title: entry.title,
    body: entry.body ?? "",
    isOpen: entry.state === "open",
    createdAt: entry.created_at,
    updatedAtMs: Date.parse(entry.updated_at),
  };
}

async function closeDouble(
  client: Octokit,
  place: Place,
  number: number,
  kept: number | undefined,
): Promise<void> {
  const body = `A double of #${kept}.`;
  await client.rest.issues.createComment({ ...place, issue_number: number, body });
  await client.rest.issues.update({
    ...place,
    issue_number: number,
    state: "closed",
    state_reason: "not_planned",
  });
}

/** The same for the same cause, whatever the message says of it by now. */
function causeOf(cluster: string, name: string, policy: string): string {
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
    const marker = JSON.parse(text) as Partial<Marker>;
    const { cluster, policy, cause, since } = marker;
    if (typeof cluster !== "string" || typeof policy !== "string" || typeof cause !== "string")
      return undefined;
    const isTimed = since === undefined || !Number.isNaN(Date.parse(since));
    return isTimed ? { ...marker, cluster, policy, cause } : undefined;
  } catch {
    return undefined;
  }
}
