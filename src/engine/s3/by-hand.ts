/** A restore with mc alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { inventoryArtifact } from "./capture.ts";
import { ownPrefix } from "./sides.ts";

/** The objects as they were at the point, below `$DIR/data`. `MC_HOST_replica` leads to the replica. */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [point] = chain;
  if (point === undefined) return { decode: [], commands: [], notes: [] };
  const bucket =
    String(point.engine["replica"] ?? "")
      .split("/")
      .at(-1) ?? "";
  const rewind = new Date(Math.ceil(Date.parse(point.consistentAt) / 1000) * 1000)
    .toISOString()
    .replace(".000Z", "Z");
  return {
    // The client needs the replica alone; the inventory is for whoever wants to compare.
    decode: [],
    commands: [
      `: "\${MC:=mc}" "\${MC_HOST_replica:?https://KEY:SECRET@HOST of the replica}"`,
      `"$MC" --quiet cp --recursive --rewind ${rewind} "replica/${bucket}/" "$DIR/data/"`,
      `rm -rf "$DIR/data/${ownPrefix}"`,
    ],
    notes: [
      `The replica is ${String(point.engine["replica"])}; ${inventoryArtifact} lists every object with version, size and entity tag.`,
      "Back into a bucket: mc mirror data/ TARGET/BUCKET.",
    ],
  };
}
