/** A recipe as one block for `sh`: decode with the stand-alone program, then the vendor's own commands. */
import type { HandRecipe } from "../catalogue/hand-recipe.ts";
import type { Manifest } from "../catalogue/manifest.ts";
import type { Codec, StoreSettings } from "../policy/model.ts";
import { shellQuote } from "../shell-word.ts";

export interface HandScriptInput {
  readonly recipe: HandRecipe;
  /** The point first, then what it needs. */
  readonly chain: readonly Manifest[];
  readonly store: StoreSettings;
  readonly prefix: string;
}

const suffixes: Readonly<Record<Codec, string>> = { none: "", gzip: ".gz", zstd: ".zst" };

/**
 * Runs under `sh -e` on a machine without Holdfast. It reads `DIR` (a new folder), `BUCKET` (a folder with a
 * copy of the bucket, which it makes where the store is S3), `KEY` (a file with an age identity) and
 * `DECRYPTOR` (the stand-alone program), and takes the defaults it prints.
 */
export function handScript({ recipe, chain, store, prefix }: HandScriptInput): string {
  const lines = [
    `: "\${DIR:=$PWD/restore}" "\${KEY:=$PWD/escrow.key}" "\${DECRYPTOR:=$PWD/restore-without-holdfast.py}"`,
    store.type === "directory"
      ? `: "\${BUCKET:=${doubleQuoted(store.path)}}"`
      : `: "\${BUCKET:=$PWD/bucket}"`,
    `mkdir -p "$DIR"`,
    `cd "$DIR"`,
  ];
  if (store.type === "s3") {
    // What a vendor's tool reads from the store by itself is not fetched first.
    const decoded = new Set(recipe.decode.map(({ point }) => point));
    lines.push(
      ...fetchLines(
        chain.filter(({ id }) => decoded.has(id)),
        store,
        prefix,
      ),
    );
  }
  for (const { point, artifact, path } of recipe.decode) {
    const codec =
      chain.find((m) => m.id === point)?.artifacts.find((a) => a.name === artifact)?.codec ?? "none";
    const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
    const packed = `"$DIR"/${shellQuote(`${path}${suffixes[codec]}`)}`;
    if (folder !== "") lines.push(`mkdir -p ${shellQuote(folder)}`);
    lines.push(
      `python3 "$DECRYPTOR" artifact "$BUCKET" ${shellQuote(prefix)} ${shellQuote(point)} ${shellQuote(artifact)} ${packed} --identity "$KEY"`,
    );
    if (codec === "zstd") lines.push(`zstd -d -q --rm ${packed}`);
    if (codec === "gzip") lines.push(`gzip -d ${packed}`);
  }
  return [...lines, ...recipe.commands].join("\n");
}

function doubleQuoted(text: string): string {
  return text.replace(/[\\"$`}]/g, (sign) => `\\${sign}`);
}

/** The AWS command line speaks to any S3; credentials come from its own environment. */
function fetchLines(chain: readonly Manifest[], store: StoreSettings, prefix: string): readonly string[] {
  const aws = `aws --endpoint-url ${shellQuote(store.endpoint)} --region ${shellQuote(store.region)} s3`;
  const from = `s3://${store.bucket}/${prefix}`;
  return chain.flatMap(({ id }) => [
    `${aws} cp ${shellQuote(`${from}manifests/${id}.json`)} "$BUCKET"/${shellQuote(`${prefix}manifests/${id}.json`)}`,
    `${aws} cp --recursive ${shellQuote(`${from}data/${id}/`)} "$BUCKET"/${shellQuote(`${prefix}data/${id}/`)}`,
  ]);
}
