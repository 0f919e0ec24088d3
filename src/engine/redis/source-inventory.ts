/**
 * Everything a Redis server holds: its databases, which every snapshot takes whole; and where it is part of a
 * cluster, the other primaries, each of which has slots that no snapshot of this one holds.
 * @see Redis, "CLUSTER NODES"
 */
import type { Policy } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import { type Client, connectionOf, placeOf, settingsOf, withClient } from "./connection.ts";
import { parseInfo } from "./facts.ts";

export const sourceInventory: SourceInventory = { address, misses, look };

/** Of the primary whose data this policy's snapshots hold. */
const captured = "captured here";

function address({ connection }: Policy): string {
  return placeOf(settingsOf(connection));
}

function misses(policy: Policy, { kind, name, detail }: SourceItem): string | undefined {
  if (kind === "database" || detail === captured || name === address(policy)) return undefined;
  return "another primary of the cluster, with slots of its own";
}

async function look(context: EngineContext): Promise<SourceLook> {
  const connection = await connectionOf(context);
  return withClient(connection, async (client) => {
    const info = parseInfo(String(await client.command("INFO", "everything")));
    if (info["cluster_enabled"] === "1") return lookAtCluster(client, placeOf(connection));
    const items = Object.keys(info)
      .filter((name) => /^db\d+$/.test(name))
      .map((name) => ({ kind: "database", name: name.slice(2) }));
    return { server: info["master_replid"] ?? placeOf(connection), items, unseen: [] };
  });
}

interface Node {
  readonly id: string;
  readonly address: string;
  readonly flags: readonly string[];
  /** Of a replica. */
  readonly primaryId: string;
  readonly slots: readonly string[];
}

async function lookAtCluster(client: Client, here: string): Promise<SourceLook> {
  const nodes = parseNodes(String(await client.command("CLUSTER", "NODES")));
  const self = nodes.find((n) => n.flags.includes("myself"));
  const ownId = self?.flags.includes("master") === true ? self.id : (self?.primaryId ?? "");
  const primaries = nodes.filter((n) => n.flags.includes("master") && !n.flags.includes("noaddr"));
  const items = primaries.map((node): SourceItem => {
    // A node that nobody has met yet does not know its own address.
    const name = node.address.startsWith(":") ? here : node.address;
    return {
      kind: "primary",
      name,
      ...(node.id === ownId ? { detail: captured } : {}),
      ...(node.slots.length === 0 ? { setAside: "it has no slots, and so no keys" } : {}),
    };
  });
  // Every node knows the same primaries.
  const [first = here] = primaries.map((n) => n.id).sort();
  return { server: `cluster of ${first}`, items, unseen: [] };
}

function parseNodes(text: string): readonly Node[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [id = "", place = "", flags = "", primaryId = "", , , , , ...slots] = line.trim().split(" ");
      return { id, address: place.split("@")[0] ?? "", flags: flags.split(","), primaryId, slots };
    });
}
