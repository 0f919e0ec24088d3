/** The restored server started again, to be asked and thrown away. */
import { join } from "node:path";
import type { EngineContext, Restored, RunningServer } from "../engine.ts";
import { canaryDatabase, lastCanaryAt } from "./canary.ts";
import { ask, askText } from "./connection.ts";
import { passwordFile, startOwnServer } from "./server.ts";

/** @throws tool-failed with the server's last words; tool-missing */
export async function start(context: EngineContext, restored: Restored): Promise<RunningServer> {
  const server = await startOwnServer(context, restored.directory);
  const { connection } = server;
  try {
    const version = await askText(connection, "SELECT version()", { signal: context.signal });
    return {
      connection: {
        host: connection.host,
        port: connection.port,
        user: connection.user,
        passwordFrom: { file: join(restored.directory, passwordFile) },
      },
      reached: { version },
      ask: async (statement, database) => {
        const { types, rows } = await ask(connection, statement, { database });
        return answerOf(types[0] ?? "", rows[0]?.[0]);
      },
      lastCanaryAt: () => lastCanaryAt(connection, canaryDatabase),
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A comparison gives a number of eight bits, 0 or 1. */
function answerOf(type: string, value: unknown): unknown {
  return type === "UInt8" && (value === 0 || value === 1) ? value === 1 : value;
}
