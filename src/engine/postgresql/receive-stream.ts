/**
 * The resident receiver. pg_receivewal writes into a spool and acknowledges to nobody: it runs without the
 * slot. What the spool holds goes to the store, and only then is the slot moved, so the server keeps every
 * segment until the store has it. `kill -9` at any moment loses nothing: the spool and the slot are enough
 * to go on. @see docs/decisions/0005
 */
import { join } from "node:path";
import type pg from "pg";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { Resident } from "../../exec/exec.ts";
import type { LogStore } from "../../repository/repository.ts";
import type { EngineContext, LogProgress } from "../engine.ts";
import { askText, type Connection, connectionOf, libpqEnvironment, withClient } from "./connection.ts";
import { readFacts } from "./facts.ts";
import { programsOf } from "./programs.ts";
import { advanceSlot, ensureSlot } from "./slot.ts";
import { dropFromSpool, openSpool, readSpool, type SpoolFiles, seedSpool } from "./spool.ts";
import { formatLsn, parseSegment, segmentName, timelineName } from "./wal.ts";

const lookEveryMs = 250;
/** Acknowledged together, because each time needs a connection. */
const batchSegments = 12;
const longestPauseMs = 30_000;
/** An old partial that has not moved for so long belongs to a timeline that is over. */
const abandonedMs = 10_000;
const farewellMs = 15_000;

interface Session {
  readonly context: EngineContext;
  readonly log: LogStore;
  readonly onFlow: (flow: LogProgress) => void;
  readonly connection: Connection;
  readonly spool: string;
  readonly segmentBytes: number;
  /** The server's timeline when the session began. */
  readonly branch: string;
  readonly slot: string;
  readonly application: string;
  /** Modification time of each partial when it was pushed last. */
  readonly pushed: Map<string, number>;
  readonly histories: Set<string>;
  lastPushAtMs: number;
}

/** Runs until the signal aborts. @throws wal-gap when the slot has lost WAL; guard-refused for a foreign spool */
export async function receiveStream(
  context: EngineContext,
  log: LogStore,
  onFlow: (flow: LogProgress) => void,
): Promise<void> {
  let pauseMs = 1000;
  while (!context.signal.aborted) {
    const startedAtMs = context.clock.nowMs();
    try {
      await receiveOnce(context, log, onFlow);
    } catch (error) {
      if (context.signal.aborted) return;
      if (!isPassing(error)) throw error;
      context.log.warn("the receiver starts again", { policy: context.policy.name, cause: String(error) });
    }
    if (context.clock.nowMs() - startedAtMs > longestPauseMs) pauseMs = 1000;
    await context.clock.wait(pauseMs * (0.75 + Math.random() / 2), context.signal).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** A server that goes away in the middle of a statement throws the driver's own errors. */
function isPassing(error: unknown): boolean {
  if (error instanceof HoldfastError) return error.transient;
  const { code, severity, message } = error as { code?: string; severity?: string; message?: string };
  return severity !== undefined || /^E[A-Z]+$/.test(code ?? "") || /connection|terminat/i.test(message ?? "");
}

async function receiveOnce(
  context: EngineContext,
  log: LogStore,
  onFlow: (flow: LogProgress) => void,
): Promise<void> {
  const connection = await connectionOf(context);
  const spool = join(context.workDirectory, "spool");
  const slot = context.policy.log?.slot ?? "";
  const { facts, branch } = await withClient(connection, async (client) => {
    const found = await readFacts(client);
    await openSpool(spool, found.systemIdentifier);
    const { restartPosition, isNew } = await ensureSlot(client, slot);
    const current = await branchOf(client, found.timeline);
    const first = segmentName(current, Math.floor(restartPosition / found.segmentBytes), found.segmentBytes);
    const isSeeded = await seedSpool(spool, found.segmentBytes, first);
    if (isNew) context.log.info("made the replication slot", { policy: context.policy.name, slot });
    if (isSeeded) context.log.debug("the receiver begins at the slot", { first });
    return { facts: found, branch: current };
  });
  const session: Session = {
    context,
    log,
    onFlow,
    connection,
    spool,
    segmentBytes: facts.segmentBytes,
    branch,
    slot,
    application: `holdfast wal ${context.policy.name}`.slice(0, 63),
    pushed: new Map(),
    histories: new Set(),
    lastPushAtMs: 0,
  };
  const program = await programsOf(context, facts.major).path("pg_receivewal");
  const receiver = context.exec.resident(
    {
      argv: [program, "--directory", spool, "--no-loop", "--no-password", "--status-interval=1"],
      env: libpqEnvironment(connection, session.application),
    },
    (line) => context.log.debug("pg_receivewal", { line }),
  );
  try {
    await drainWhile(session, receiver);
  } finally {
    await receiver.stop("SIGINT");
    await farewell(session);
  }
}

/** The slot can be on an earlier timeline than the server only after a promotion we have not followed yet. */
async function branchOf(client: pg.Client, timeline: number): Promise<string> {
  const walFile = await askText(
    client,
    "select case when pg_is_in_recovery() then '' else pg_walfile_name(pg_current_wal_lsn()) end",
  );
  return walFile.length === 24 ? walFile.slice(0, 8) : timelineName(timeline);
}

/** @throws tool-failed when pg_receivewal ends, which is how a server that went away shows */
async function drainWhile(session: Session, receiver: Resident): Promise<void> {
  const { context } = session;
  let ended: Awaited<Resident["ended"]> | undefined;
  void receiver.ended.then((end) => {
    ended = end;
  });
  while (!context.signal.aborted) {
    // Seen before the drain, so that what it wrote last is drained before its end is told.
    const endedBefore = ended;
    await drain(session, endedBefore !== undefined);
    if (endedBefore !== undefined) {
      const said = endedBefore.stderr.trim().split("\n").slice(-3).join("; ");
      await judgeEnd(session, said);
      throw new HoldfastError(
        "source-unreachable",
        `pg_receivewal has ended: ${said === "" ? `status ${endedBefore.exitStatus}` : said}`,
      );
    }
    await context.clock.wait(lookEveryMs, context.signal).catch(() => undefined);
  }
}

/**
 * Why the server would not go on where the spool ends. Called after a whole drain, so all of the spool is stored.
 * @throws wal-gap when the server has thrown away what comes next; guard-refused when it is behind the store
 */
async function judgeEnd(session: Session, said: string): Promise<void> {
  const { context, spool, segmentBytes, branch, slot } = session;
  const removed = /WAL segment (\w+) has already been removed/.exec(said)?.[1];
  if (removed !== undefined) {
    throw new HoldfastError(
      "wal-gap",
      `the server no longer has WAL segment ${removed}, which comes next in the log; was the slot '${slot}' dropped?`,
      {
        hint: `all of the spool is stored: remove '${spool}', start the receiver, then holdfast backup ${context.policy.name} --full`,
      },
    );
  }
  if (!/is not in this server's history|ahead of the WAL flush position/.test(said)) return;
  const { partials } = await readSpool(spool, segmentBytes);
  if (partials.some(({ name }) => name.slice(0, 8) >= branch)) {
    throw new HoldfastError(
      "guard-refused",
      `the server is behind the WAL that is stored already, on the same timeline: ${said}`,
      { hint: "it was put back without recovery; a policy and prefix of its own keep the two logs apart" },
    );
  }
  // A restore to an earlier instant, or a standby that lagged: the end of the older timeline was given up.
  for (const { name } of partials) {
    await dropFromSpool(spool, `${name}.partial`);
    context.log.warn("the server is on a new timeline that forks before the end of the spool", {
      policy: context.policy.name,
      left: name,
      branch,
    });
  }
}

/** One look at the spool: histories first, then whole segments in order, then what is unfinished. */
async function drain(session: Session, pushNow: boolean): Promise<void> {
  const { context, spool, log } = session;
  const files = await readSpool(spool, session.segmentBytes);
  for (const branch of files.histories) {
    if (session.histories.has(branch)) continue;
    await log.putHistory(branch, join(spool, `${branch}.history`));
    session.histories.add(branch);
  }
  await drainSegments(session, files.segments);
  const isDue = context.clock.nowMs() - session.lastPushAtMs >= (context.policy.log?.pushEveryMs ?? 2000);
  if (isDue || pushNow) await pushPartials(session, files);
}

async function drainSegments(session: Session, segments: readonly string[]): Promise<void> {
  const files = segments.map((name) => ({
    branch: name.slice(0, 8),
    name,
    path: join(session.spool, name),
  }));
  let released = 0;
  await session.log.putAll(files, join(session.context.workDirectory, "compressed"), async (storedCount) => {
    if (storedCount < segments.length && storedCount - released < batchSegments) return;
    await release(session, segments.slice(released, storedCount));
    released = storedCount;
  });
}

/** The store has all of `segments`: the server may forget them, and the spool does. */
async function release(session: Session, segments: readonly string[]): Promise<void> {
  const last = segments.at(-1) ?? "";
  const end = ((parseSegment(last, session.segmentBytes)?.sequence ?? 0) + 1) * session.segmentBytes;
  await acknowledge(session, formatLsn(end));
  for (const name of segments) {
    await dropFromSpool(session.spool, name);
    session.pushed.delete(name);
  }
  session.onFlow({ stored: last, storedAt: instant(session.context.clock.nowMs()), partial: false });
}

async function pushPartials(session: Session, files: SpoolFiles): Promise<void> {
  const { context, spool, log } = session;
  session.lastPushAtMs = context.clock.nowMs();
  for (const [index, { name, modifiedMs }] of files.partials.entries()) {
    const isLast = index === files.partials.length - 1;
    const isPushed = session.pushed.get(name) === modifiedMs;
    if (isPushed && !isLast && context.clock.nowMs() - modifiedMs > abandonedMs) {
      await dropFromSpool(spool, `${name}.partial`);
      continue;
    }
    if (isPushed) continue;
    // Taken before the file is read: everything up to here is in it.
    const written = isLast ? await writtenLsn(session) : undefined;
    const isThere = await log
      .putPartial({ branch: name.slice(0, 8), name }, join(spool, `${name}.partial`))
      .then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          // It has become a whole segment meanwhile, and the next look stores it as one.
          if (
            error.code === "ENOENT" ||
            (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT"
          )
            return false;
          throw error;
        },
      );
    if (!isThere) continue;
    session.pushed.set(name, modifiedMs);
    if (written !== undefined) await acknowledge(session, written);
    session.onFlow({ stored: name, storedAt: instant(context.clock.nowMs()), partial: true });
  }
}

/** What pg_receivewal had written when it last told the server; undefined when nobody can say. */
async function writtenLsn(session: Session): Promise<string | undefined> {
  try {
    const lsn = await withClient(session.connection, (client) =>
      askText(
        client,
        `select coalesce(max(write_lsn)::text, '') from pg_stat_replication where application_name = '${session.application.replaceAll("'", "''")}'`,
      ),
    );
    return lsn === "" ? undefined : lsn;
  } catch {
    return undefined;
  }
}

/** A server that is away learns it later; nothing is lost by keeping WAL too long. */
async function acknowledge(session: Session, lsn: string): Promise<void> {
  try {
    await withClient(session.connection, (client) => advanceSlot(client, session.slot, lsn));
  } catch (error) {
    session.context.log.debug("the slot could not be moved yet", { lsn, cause: String(error) });
  }
}

/** What is in the spool when we stop is pushed once more, within bounds; the next start pushes the rest. */
async function farewell(session: Session): Promise<void> {
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, farewellMs).unref());
  const last = drain(session, true).catch((error: unknown) => {
    session.context.log.warn("not everything in the spool is stored yet; the next start goes on", {
      cause: String(error),
    });
  });
  await Promise.race([last, timeout]);
}
