/** A throwaway server on what was restored: replays, promotes, answers, and is thrown away. */
import { join } from "node:path";
import { instant } from "../../catalogue/instant.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, Restored, RestoreRequest, RunningServer } from "../engine.ts";
import { lastCanaryAt } from "./canary.ts";
import { connectionOf, withClient } from "./connection.ts";
import { parseReached } from "./parse.ts";
import { programsOf } from "./programs.ts";
import { type StartedServer, startServer } from "./server.ts";
import { majorOf } from "./unpack.ts";

const leastDeadlineMs = 10 * 60_000;

/** @throws target-unreachable when the log ends before the target; tool-failed with the server's words */
export async function start(
  context: EngineContext,
  restored: Restored,
  request: RestoreRequest,
): Promise<RunningServer> {
  const manifest = request.chain[0]?.manifest;
  if (manifest === undefined) throw new HoldfastError("point-unknown", "a restore needs a recovery point");
  const { database } = await connectionOf({ ...context, secret: async () => "" });
  let server: StartedServer;
  try {
    server = await startServer({
      exec: context.exec,
      clock: context.clock,
      signal: context.signal,
      program: await programsOf(context, majorOf(manifest)).path("postgres"),
      dataDirectory: join(restored.directory, "data"),
      user: String(manifest.engine["superuser"] ?? "postgres"),
      database: "postgres",
      // The source's memory settings may not fit this machine.
      settings: {
        shared_buffers: "128MB",
        huge_pages: "off",
        log_min_messages: "log",
        log_destination: "stderr",
        listen_addresses: "",
      },
      until: "promoted",
      deadlineMs: Math.max(context.policy.deadlineMs, leastDeadlineMs),
    });
  } catch (error) {
    throw translate(error, request);
  }
  const connection = server.connection;
  return {
    connection: { host: connection.host, port: connection.port, user: connection.user },
    reached: parseReached(server.log),
    ask: (statement, name) =>
      withClient({ ...connection, database: name === "" ? database : name }, async (client) => {
        // The policy's own text, run read only: a drill must not be able to change what it judges.
        await client.query("set default_transaction_read_only = on");
        const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
        return rows[0]?.[0];
      }),
    lastCanaryAt: () => lastCanaryAt({ ...connection, database }),
    stop: () => server.stop("immediate"),
  };
}

function translate(error: unknown, request: RestoreRequest): unknown {
  if (
    !(error instanceof HoldfastError) ||
    !/recovery ended before configured recovery target/.test(error.message)
  )
    return error;
  const last = /last completed transaction was at log time ([^\n]+)/.exec(error.message)?.[1];
  const ms = last === undefined ? Number.NaN : Date.parse(last.replace(" ", "T").replace(/\+00$/, "Z"));
  const reached = Number.isNaN(ms) ? "" : `; the last commit in it is of ${instant(ms)}`;
  const wanted = request.target.kind === "time" ? request.target.at : request.target.kind;
  return new HoldfastError(
    "target-unreachable",
    `the stored log ends before the target ${wanted}${reached}`,
    {
      hint: "leave the target out to go as far as the log reaches",
      cause: error,
    },
  );
}
