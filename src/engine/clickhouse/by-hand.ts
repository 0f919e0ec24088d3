/** A restore under another name on any running ClickHouse, through its HTTP interface, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { type Location, named, quoted } from "./sql.ts";
import { splitName } from "./tables.ts";
import { toolName } from "./tool.ts";

/** What is put behind the names of databases, so that nothing there is touched. */
export const restoredSuffix = "_restored";

/** The state of the point itself, beside what the server holds already. */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [point] = chain;
  if (point === undefined) return { decode: [], commands: [], notes: [] };
  const assets = point.artifacts.filter((a) => a.carried !== true).map((a) => a.name);
  const decode = assets.map((artifact) => ({ point: point.id, artifact, path: artifact }));
  const needs = `ClickHouse ${point.server.version} or newer.`;
  const rules = assets.includes("access.sql")
    ? ["Users, roles and grants are in access.sql; read it before running it."]
    : [];
  if (point.method === toolName) {
    return {
      decode,
      commands: [`"\${CLICKHOUSE_BACKUP:-clickhouse-backup}" restore_remote ${String(point.engine["name"])}`],
      notes: [
        needs,
        `Run it beside the server, with S3_PATH set to the folder of ${locationText(point)}.`,
        ...rules,
      ],
    };
  }
  const ask = `curl --silent --show-error --fail-with-body --config "$CURL_CONFIG" --data-binary @- "$CLICKHOUSE_URL/" <<SQL`;
  return {
    decode,
    commands: [
      `: "\${CLICKHOUSE_URL:=http://127.0.0.1:8123}" "\${CURL_CONFIG:=/dev/null}"`,
      ...missingDatabases(point).map(
        (d) => `${ask}\nCREATE DATABASE IF NOT EXISTS ${heredoc(named(d))}\nSQL`,
      ),
      `${ask}
${heredoc(`RESTORE ${elements(point)} FROM `)}${placeText(point)}${chain.length > 1 ? " SETTINGS use_same_s3_credentials_for_base_backup = 1" : ""}
SQL`,
    ],
    notes: [
      needs,
      `Each database comes up with '${restoredSuffix}' behind its name; RENAME TABLE moves tables from there.`,
      `The login goes into the file that CURL_CONFIG names, as: user = "name:password". For a bucket set S3_ACCESS_KEY and S3_SECRET_KEY; a folder must lie below backups.allowed_path of the server.`,
      ...(chain.length > 1
        ? ["It builds on other backups, which the server looks for where they lay when it was made."]
        : []),
      "RESTORE checks no sums: read every column afterwards, such as SELECT sum(cityHash64(*)) FROM each table.",
      ...rules,
    ],
  };
}

/** A backup of chosen tables does not bring their databases along. */
function missingDatabases(point: Manifest): readonly string[] {
  if (point.engine["selected"] === undefined) return [];
  return ((point.engine["databases"] ?? []) as readonly string[]).map((d) => `${d}${restoredSuffix}`);
}

function elements(point: Manifest): string {
  const databases = (point.engine["databases"] ?? []) as readonly string[];
  const selected = point.engine["selected"] as readonly string[] | undefined;
  if (selected !== undefined) {
    return selected
      .map((full) => splitName(full, databases))
      .map(
        ([d = "", t = ""]) =>
          `TABLE ${named(d)}.${named(t)} AS ${named(`${d}${restoredSuffix}`)}.${named(t)}`,
      )
      .join(", ");
  }
  return databases.map((d) => `DATABASE ${named(d)} AS ${named(`${d}${restoredSuffix}`)}`).join(", ");
}

function locationText(point: Manifest): string {
  const location = point.engine["location"] as Location | undefined;
  return location === undefined ? "the point" : location.kind === "s3" ? location.url : location.path;
}

function placeText(point: Manifest): string {
  const location = point.engine["location"] as Location | undefined;
  if (location?.kind === "s3")
    return `S3(${heredoc(quoted(location.url))}, '\${S3_ACCESS_KEY}', '\${S3_SECRET_KEY}')`;
  return `File(${heredoc(quoted(locationText(point)))})`;
}

/** What a shell would read in a here-document is not read. */
function heredoc(text: string): string {
  return text.replace(/[\\$`]/g, "\\$&");
}
