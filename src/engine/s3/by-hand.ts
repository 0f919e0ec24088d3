/** A restore with mc alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { inventoryArtifact } from "./capture.ts";
import { ownPrefix } from "./sides.ts";

/** The client goes back to whole seconds; of keys that changed within the second, the version of the instant itself. */
const settler = `import datetime, itertools, json, os, subprocess, sys
mc, bucket, at = os.environ["MC"], sys.argv[1], int(sys.argv[2])
def when(version):
    whole, _, part = version["lastModified"].rstrip("Z").partition(".")
    return int(datetime.datetime.fromisoformat(whole + "+00:00").timestamp()) * 1000 + int((part + "000")[:3])
def run(*args):
    subprocess.run([mc, "--quiet", *args], check=True, stdout=subprocess.DEVNULL)
listing = subprocess.Popen([mc, "ls", "--recursive", "--versions", "--json", "replica/" + bucket], env=dict(os.environ, TZ="UTC"), stdout=subprocess.PIPE, text=True)
for key, versions in itertools.groupby(map(json.loads, listing.stdout), lambda version: version["key"]):
    versions = sorted(versions, key=when, reverse=True)
    if key.startswith("${ownPrefix}") or not any(at < when(v) <= at + 1000 for v in versions):
        continue
    if key.startswith("/") or ".." in key.split("/"):
        raise SystemExit("the key '" + key + "' leads out of the folder")
    path = os.path.join("data", key)
    if os.path.exists(path):
        os.remove(path)
    wanted = next((v for v in versions if when(v) <= at), None)
    if wanted and not wanted.get("isDeleteMarker"):
        run("cp", "--version-id", wanted["versionId"], "replica/" + bucket + "/" + key, path)
if listing.wait() != 0:
    raise SystemExit("the replica could not be listed")`;

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
      `: "\${MC:=mc}"; export MC; : "\${MC_HOST_replica:?https://KEY:SECRET@HOST of the replica}"`,
      `"$MC" --quiet cp --recursive --rewind ${rewind} "replica/${bucket}/" "$DIR/data/"`,
      `rm -rf "$DIR/data/${ownPrefix}"`,
      `python3 - ${bucket} ${Date.parse(point.consistentAt)} <<'SETTLER'\n${settler}\nSETTLER`,
    ],
    notes: [
      `The replica is ${String(point.engine["replica"])}; ${inventoryArtifact} lists every object with version, size and entity tag.`,
      "Back into a bucket: mc mirror data/ TARGET/BUCKET.",
    ],
  };
}
