/** Every table of a ClickHouse server that the policy's user can see, the server's own databases aside. */
import type { Policy } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import { connectionOf } from "./connection.ts";
import { readFacts } from "./facts.ts";
import { isUncovered, isWanted, visibleTables } from "./tables.ts";

export const sourceInventory: SourceInventory = { address, misses, look };

function address({ connection }: Policy): string {
  const port = connection["port"] ?? (connection["secure"] === true ? 8443 : 8123);
  return `${connection["host"] ?? "127.0.0.1"}:${port}`;
}

function misses(policy: Policy, { name, detail = "" }: SourceItem): string | undefined {
  if (!isWanted(policy, name)) return "capture.options.tables leaves it out";
  return isUncovered({ engine: detail })
    ? `of engine ${detail} only the definition is captured, its rows lie elsewhere`
    : undefined;
}

async function look(context: EngineContext): Promise<SourceLook> {
  const connection = await connectionOf(context);
  const { identity } = await readFacts(connection, context.signal);
  const tables = await visibleTables(connection, context.signal);
  return {
    server: identity === "unknown" ? address(context.policy) : identity,
    items: tables.map(({ database, name, engine }) => ({
      kind: "table",
      name: `${database}.${name}`,
      detail: engine,
    })),
    unseen: [],
  };
}
