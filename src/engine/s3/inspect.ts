/** Level 3: every line of the inventory against the replica as it is now, and whether objects were deleted in masses. */
import { join } from "node:path";
import type { Check } from "../../catalogue/manifest.ts";
import { HoldfastError } from "../../errors.ts";
import type { EngineContext, RestoreRequest } from "../engine.ts";
import { inventoryArtifact } from "./capture.ts";
import type { InventoryLine } from "./inventory.ts";
import { inventoryOf, linesOf } from "./restore.ts";
import { replicaOf, withSide } from "./sides.ts";
import { compareKeys, type Entry, listEntries } from "./versions.ts";

export async function inspect(context: EngineContext, request: RestoreRequest): Promise<readonly Check[]> {
  const member = request.chain[0];
  if (member === undefined) throw new HoldfastError("point-unknown", "there is no point to look at");
  const path = join(context.workDirectory, `${member.manifest.id}-${inventoryArtifact}`);
  await member.source.intoFile(inventoryOf(member.manifest), path);
  const replica = await replicaOf(context, "read");
  context.step("looking for every object of the inventory in the replica");
  const lost: string[] = [];
  let count = 0;
  await withSide(replica, async (client) => {
    for await (const { line, entry } of matched(linesOf(path), listEntries(client, replica))) {
      count += 1;
      if (!holds(entry, line)) lost.push(line.key);
    }
  });
  const { engine } = member.manifest;
  const isStorm = engine["deletionStorm"] === true;
  return [
    {
      name: "versions in the replica",
      ok: lost.length === 0,
      detail:
        lost.length === 0
          ? `${count} objects are there in the version of the point`
          : `${lost.length} of ${count} are not: ${lost.slice(0, 5).join(", ")}`,
    },
    {
      name: "deletions",
      ok: !isStorm,
      detail: `${String(engine["deletedSince"])} objects were deleted since the point before${isStorm ? ": a storm; the replica keeps their versions, restore --at an instant before it" : ""}`,
    },
  ];
}

/** The version of the line, by its id, or by its contents where the server gives other ids. */
function holds(entry: Entry | undefined, line: InventoryLine): boolean {
  return (entry?.versions ?? []).some(
    (v) => !v.isMarker && v.sizeBytes === line.sizeBytes && v.etag === line.etag,
  );
}

/** Each line with what the replica has under its key. Both come in key order. */
async function* matched(
  lines: AsyncIterable<InventoryLine>,
  entries: AsyncIterable<Entry>,
): AsyncGenerator<{ readonly line: InventoryLine; readonly entry: Entry | undefined }> {
  const there = entries[Symbol.asyncIterator]();
  let next = await there.next();
  for await (const line of lines) {
    while (next.done !== true && compareKeys(next.value.key, line.key) < 0) next = await there.next();
    yield { line, entry: next.done !== true && next.value.key === line.key ? next.value : undefined };
  }
}
