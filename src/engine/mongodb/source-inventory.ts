/**
 * Every collection of a MongoDB server. mongodump takes them all but those of the database `local`, which belongs to
 * the member and not to the set. @see MongoDB Database Tools, mongodump, "Data Exclusion"
 */
import type { MongoClient } from "mongodb";
import type { Policy } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import { connectionOf, placeOf, settingsOf, withClient } from "./connection.ts";
import { readFacts } from "./facts.ts";

export const sourceInventory: SourceInventory = { address, misses, look };

const ownDatabases: Readonly<Record<string, string>> = {
  admin: "users and roles, which travel with every dump",
  config: "the server's own settings of sharding and sessions",
};
const local = "local";
/** What the server itself keeps in `local`. */
const ownInLocal = /^(oplog\.|startup_log$|replset\.|system\.|clustermanager$)/;

function address({ connection }: Policy): string {
  return placeOf(settingsOf(connection));
}

function misses(_policy: Policy, { name }: SourceItem): string | undefined {
  const [database] = name.split(".");
  return database === local
    ? "mongodump leaves the database 'local' out, and a restore has a new one"
    : undefined;
}

function look(context: EngineContext): Promise<SourceLook> {
  return connectionOf(context).then((connection) =>
    withClient(connection, async (client) => {
      const { identity } = await readFacts(client);
      // Sets and single servers have names that others have too; only the id of a set is its own.
      const isUnique = /^\S+ \S+$/.test(identity);
      return { server: isUnique ? identity : placeOf(connection), items: await itemsOf(client), unseen: [] };
    }),
  );
}

async function itemsOf(client: MongoClient): Promise<readonly SourceItem[]> {
  const { databases } = await client.db("admin").admin().listDatabases({ nameOnly: true });
  const items: SourceItem[] = [];
  for (const { name: database } of databases) {
    const own = ownDatabases[database];
    if (own !== undefined) {
      items.push({ kind: "database", name: database, setAside: own });
      continue;
    }
    for (const { name } of await client.db(database).listCollections({}, { nameOnly: true }).toArray()) {
      if (database !== local && name.startsWith("system.")) continue;
      const isOwn = database === local && ownInLocal.test(name);
      items.push({
        kind: "collection",
        name: `${database}.${name}`,
        ...(isOwn ? { setAside: "the member's own" } : {}),
      });
    }
  }
  return items;
}
