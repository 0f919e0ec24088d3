/** A restore with mongod and mongorestore alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { archiveArtifact } from "./capture.ts";

/** The state of the point itself, in a new server on `$PORT`. */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [newest] = chain;
  if (newest === undefined) return { decode: [], commands: [], notes: [] };
  const replay = newest.engine["oplog"] === true ? " --oplogReplay" : "";
  const uri = '"mongodb://127.0.0.1:$PORT/?directConnection=true"';
  return {
    decode: [{ point: newest.id, artifact: archiveArtifact, path: archiveArtifact }],
    commands: [
      `: "\${MONGOD:=mongod}" "\${MONGORESTORE:=mongorestore}" "\${PORT:=27018}"`,
      "mkdir -p -m 700 data",
      `"$MONGOD" --dbpath "$DIR/data" --bind_ip 127.0.0.1 --port "$PORT" --fork --logpath "$DIR/server.log" --pidfilepath "$DIR/server.pid"`,
      `"$MONGORESTORE" --uri=${uri} --archive="$DIR/${archiveArtifact}"${replay}`,
    ],
    notes: [
      `MongoDB ${newest.server.version} or the next release after it, and MongoDB Database Tools 100; set MONGOD and MONGORESTORE where they are not in PATH.`,
      "Users and roles of the source are in the dump and are restored with it; the new server asks for no password until it is started with --auth.",
      ...(newest.log === undefined
        ? []
        : [
            `For a later instant: decode the slices under log/${newest.log.branch}/ from number ${newest.log.firstSequence} on, put them end to end as replay/oplog.bson, and run mongorestore --oplogReplay --oplogLimit=SECONDS --dir=replay. Entries that are in two slices, or in the dump, may be replayed twice.`,
          ]),
      "To make it a replica set again: restart with --replSet NAME, then rs.initiate().",
    ],
  };
}
