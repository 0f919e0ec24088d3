/**
 * A restore with PostgreSQL's own programs and tar, for a day without Holdfast. The commands are those of the
 * manual's "Recovering Using a Continuous Archive Backup" (26.3.5).
 */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { manifestArtifact } from "./capture.ts";
import { majorOf } from "./unpack.ts";

/** The state of the point itself, in `$DIR/data`; an incremental chain is combined first. */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [newest] = chain;
  if (newest === undefined) return { decode: [], commands: [], notes: [] };
  const bin = '"$PGBIN"';
  const decode = chain.flatMap((manifest) =>
    manifest.artifacts.map(({ name }) => ({
      point: manifest.id,
      artifact: name,
      path: `parts/${manifest.id}/${name}`,
    })),
  );
  // pg_combinebackup wants the full one first.
  const ids = chain.map((m) => m.id).reverse();
  const isChain = chain.length > 1;
  const commands = [
    `: "\${PGBIN:=/usr/lib/postgresql/${majorOf(newest)}/bin}"`,
    ...ids.flatMap((id) => unpackCommands(chain, id, isChain ? `whole/${id}` : "data", bin, isChain)),
    ...(isChain ? [combineCommand(newest, ids, bin)] : []),
    ...newest.artifacts.flatMap(({ name }) => linkCommands(name, isChain)),
    "chmod -R go= data",
    `chown -R postgres: "$DIR"`,
    `cd / && runuser -u postgres -- ${bin}/pg_ctl start --wait --pgdata="$DIR/data" --log="$DIR/server.log" --options="-p \${PORT:-5432}"`,
  ];
  return {
    decode,
    commands,
    notes: [
      `PostgreSQL ${majorOf(newest)} of the source's architecture; set PGBIN where its programs are not under Debian's /usr/lib/postgresql.`,
      "The WAL of the backup itself is in it: the server starts at the state of the point. For a later instant put the decoded WAL segments up to it into a folder, create data/recovery.signal, and set restore_command and recovery_target_time in data/postgresql.auto.conf before the start.",
      "Check port, listen_addresses and pg_hba.conf in data/ before the start when the old server may still be alive.",
    ],
  };
}

function unpackCommands(
  chain: readonly Manifest[],
  id: string,
  target: string,
  bin: string,
  isChain: boolean,
): readonly string[] {
  const manifest = chain.find((m) => m.id === id);
  const commands = [`mkdir -p -m 700 ${target}`];
  for (const { name } of manifest?.artifacts ?? []) {
    const file = `parts/${id}/${name}`;
    const oid = tablespaceOf(name);
    if (name === manifestArtifact) commands.push(`cp ${file} ${target}/${manifestArtifact}`);
    else if (oid === undefined) commands.push(`tar -xf ${file} -C ${target}`);
    else {
      const space = isChain ? `spaces/${id}/${oid}` : `tablespaces/${oid}`;
      commands.push(
        `mkdir -p -m 700 ${space} && tar -xf ${file} -C ${space}`,
        `ln -sfn "$DIR/${space}" ${target}/pg_tblspc/${oid}`,
      );
    }
  }
  return [...commands, `${bin}/pg_verifybackup --no-parse-wal ${target}`];
}

function combineCommand(newest: Manifest, ids: readonly string[], bin: string): string {
  const mappings = newest.artifacts
    .map(({ name }) => tablespaceOf(name))
    .filter((oid) => oid !== undefined)
    .map((oid) => `--tablespace-mapping="$DIR/spaces/${newest.id}/${oid}=$DIR/tablespaces/${oid}"`);
  const folders = ids.map((id) => `whole/${id}`);
  return [`${bin}/pg_combinebackup`, ...mappings, "--output=data", ...folders].join(" ");
}

/** The server would follow this file to where the tablespace was on the source. */
function linkCommands(name: string, isChain: boolean): readonly string[] {
  const oid = tablespaceOf(name);
  if (oid === undefined) return [];
  const link = isChain ? [] : [`ln -sfn "$DIR/tablespaces/${oid}" data/pg_tblspc/${oid}`];
  return [...link, "rm -f data/tablespace_map"];
}

function tablespaceOf(name: string): string | undefined {
  return /^(\d+)\.tar$/.exec(name)?.[1];
}
