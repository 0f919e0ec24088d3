/** A restore with redis-server alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { setFolder, setManifest } from "./append-only.ts";
import { snapshotArtifact } from "./capture.ts";

/** The state of the point itself, in a new server on `$PORT`. */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [point] = chain;
  if (point === undefined) return { decode: [], commands: [], notes: [] };
  const names = point.artifacts.map((a) => a.name).filter((name) => name !== snapshotArtifact);
  const isLogged = names.includes(setManifest);
  return {
    decode: [
      { point: point.id, artifact: snapshotArtifact, path: snapshotArtifact },
      ...names.map((artifact) => ({ point: point.id, artifact, path: `${setFolder}/${artifact}` })),
    ],
    commands: [
      `: "\${REDIS_SERVER:=redis-server}" "\${PORT:=6380}"`,
      // The end mark of the transfer stands behind the snapshot.
      `truncate -s ${String(point.engine["snapshotBytes"])} ${snapshotArtifact}`,
      `"$REDIS_SERVER" --dir "$DIR" --dbfilename ${snapshotArtifact} --appendonly ${isLogged ? "yes" : "no"} --bind 127.0.0.1 --port "$PORT" --daemonize yes --pidfile "$DIR/server.pid" --logfile "$DIR/server.log"`,
    ],
    notes: [
      `Redis ${point.server.version} or newer; set REDIS_SERVER where it is not in PATH. It needs ${Math.ceil(point.restoreNeeds.memoryBytes / 1024 / 1024)} MiB of memory.`,
      isLogged
        ? "The append-only file is newer than the snapshot and is the one that is loaded."
        : "A server with appendonly yes never reads dump.rdb and would start empty: start it with appendonly no as above, then redis-cli CONFIG SET appendonly yes, wait until INFO persistence shows aof_rewrite_in_progress:0, and only then put appendonly yes into its file.",
      "Users and passwords are not in a snapshot: bring the ACL file and redis.conf along.",
    ],
  };
}
