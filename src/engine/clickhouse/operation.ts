/**
 * BACKUP and RESTORE run on the server by themselves (ASYNC); `system.backups` says how they fare. When we
 * give up, the operation is killed and its end awaited, so that nothing writes after we have cleaned up.
 * @see ClickHouse manual, "Backup and Restore"
 */
import { HoldfastError } from "../../errors.ts";
import { formatSize } from "../../size.ts";
import type { EngineContext } from "../engine.ts";
import { ask, type Connection, firstWords, run } from "./connection.ts";
import { quoted } from "./sql.ts";

/** Between two looks: a small share of what the operation has taken, so that its end is not noticed late. */
const pauseShare = 0.02;
const shortestPauseMs = 10;
const longestPauseMs = 2_000;
const newsEveryMs = 2_000;
/** A server that does not answer for so long has lost the operation for us. */
const patienceMs = 60_000;
const killWaitMs = 60_000;
const running = /^(CREATING_BACKUP|RESTORING)$/;

export interface OperationEnd {
  readonly filesCount: number;
  readonly totalBytes: number;
  readonly storedBytes: number;
}

interface Status {
  readonly status: string;
  readonly error: string;
  readonly queryId: string;
  readonly filesCount: number;
  readonly totalBytes: number;
  readonly storedBytes: number;
}

/**
 * Starts `statement` (without ASYNC and without its id) and waits for its end.
 * @param settings as `name=value`, values already quoted
 * @param onBegun called when the server has taken it on
 * @throws tool-failed with the server's cause, source-unreachable, interrupted
 */
export async function operate(
  context: EngineContext,
  connection: Connection,
  id: string,
  statement: string,
  settings: readonly string[],
  onBegun: () => void = () => undefined,
): Promise<OperationEnd> {
  const { signal } = context;
  signal.throwIfAborted();
  const { deadlineMs } = context.policy;
  const giveUpAtMs = deadlineMs > 0 ? context.clock.nowMs() + deadlineMs : Number.POSITIVE_INFINITY;
  try {
    await run(connection, `${statement} SETTINGS ${[`id=${quoted(id)}`, ...settings].join(", ")} ASYNC`, {
      signal,
    });
    onBegun();
    return await untilEnd(context, connection, id, giveUpAtMs);
  } catch (error) {
    if (!isEndOfOperation(error)) await kill(context, connection, id);
    if (signal.aborted && !(error instanceof HoldfastError && error.code === "interrupted"))
      throw new HoldfastError("interrupted", "the operation was given up", { cause: error });
    throw error;
  }
}

/** The server itself has said that it is over. */
class OperationFailed extends HoldfastError {}

function isEndOfOperation(error: unknown): boolean {
  return error instanceof OperationFailed;
}

async function untilEnd(
  context: EngineContext,
  connection: Connection,
  id: string,
  giveUpAtMs: number,
): Promise<OperationEnd> {
  const begunAtMs = context.clock.nowMs();
  let lastAnswerAtMs = begunAtMs;
  let told = "";
  let toldAtMs = begunAtMs;
  for (;;) {
    const status = await look(connection, id, context.signal).catch((error: unknown) => {
      const isSilent = error instanceof HoldfastError && error.code === "source-unreachable";
      if (!isSilent || context.clock.nowMs() - lastAnswerAtMs > patienceMs) throw error;
      return "silent" as const;
    });
    if (status === undefined) {
      throw new OperationFailed(
        "tool-failed",
        `the server no longer knows the operation '${id}': it was restarted`,
      );
    }
    if (status !== "silent") {
      lastAnswerAtMs = context.clock.nowMs();
      if (status.status === "BACKUP_CREATED" || status.status === "RESTORED") return status;
      if (!running.test(status.status)) {
        throw new OperationFailed(
          "tool-failed",
          `ClickHouse ended with ${status.status}: ${firstWords(status.error)}`,
        );
      }
      const news = `${status.filesCount} files, ${formatSize(status.totalBytes)}`;
      if (status.filesCount > 0 && news !== told && lastAnswerAtMs - toldAtMs >= newsEveryMs) {
        context.step(`${status.status}: ${news}`);
        told = news;
        toldAtMs = lastAnswerAtMs;
      }
    }
    const nowMs = context.clock.nowMs();
    if (nowMs > giveUpAtMs)
      throw new HoldfastError("tool-failed", "the operation did not end within the policy's deadline");
    const share = (nowMs - begunAtMs) * pauseShare;
    await context.clock.wait(Math.min(Math.max(share, shortestPauseMs), longestPauseMs), context.signal);
  }
}

async function look(connection: Connection, id: string, signal?: AbortSignal): Promise<Status | undefined> {
  const { rows } = await ask(
    connection,
    `SELECT status, error, query_id, num_files, total_size, compressed_size FROM system.backups WHERE id = ${quoted(id)}`,
    { timeoutMs: 20_000, ...(signal === undefined ? {} : { signal }) },
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const [status, error, queryId, files, total, stored] = row.map(String);
  return {
    status: status ?? "",
    error: error ?? "",
    queryId: queryId ?? "",
    filesCount: Number(files),
    totalBytes: Number(total),
    storedBytes: Number(stored),
  };
}

/** Never throws: the first failure is the one to tell. */
async function kill(context: EngineContext, connection: Connection, id: string): Promise<void> {
  const endMs = Date.now() + killWaitMs;
  try {
    for (;;) {
      // The signal of the run has fired already; this has to be done in spite of it.
      const status = await look(connection, id);
      if (status === undefined || !running.test(status.status)) return;
      await run(connection, `KILL QUERY WHERE query_id = ${quoted(status.queryId)} ASYNC`);
      if (Date.now() > endMs) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } catch (error) {
    context.log.warn("an operation at the server could not be ended", { id, cause: String(error) });
    return;
  }
  context.log.warn("an operation at the server does not end; the sweep takes what it still writes", { id });
}

/**
 * Ends what a run that was killed has left at the server: it would go on writing where nobody looks.
 * @param prefix beginning of the ids of the policy's own operations; the caller holds the lease of the run
 */
export async function endOrphans(
  context: EngineContext,
  connection: Connection,
  prefix: string,
): Promise<void> {
  const { rows } = await ask(
    connection,
    `SELECT id FROM system.backups WHERE startsWith(id, ${quoted(prefix)}) AND status IN ('CREATING_BACKUP', 'RESTORING')`,
    { signal: context.signal },
  );
  for (const [id] of rows) {
    context.step(`ending '${String(id)}', which a run that is gone had begun`);
    await kill(context, connection, String(id));
  }
}
