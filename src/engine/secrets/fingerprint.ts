/**
 * Keyed fingerprints. The key is random and stored only inside an encrypted artifact, so that a fingerprint in
 * a manifest says nothing to somebody who guesses a value. Canaries do not count.
 */
import { createHmac, randomBytes } from "node:crypto";
import { canonical } from "./json.ts";
import type { ExportedDocument, ExportedSecret, NamedDocument } from "./model.ts";
import { canaryPath, canarySecret } from "./settings.ts";

export function newFingerprintKey(): string {
  return randomBytes(32).toString("hex");
}

export function keyed(key: string, text: string): string {
  return createHmac("sha256", Buffer.from(key, "hex")).update(text).digest("hex");
}

/** Digest per file name, and one over all under the name `""`. */
export function fingerprintOf(
  key: string,
  documents: readonly NamedDocument[],
): Readonly<Record<string, string>> {
  const parts = documents.map(({ name, document }) => [name, documentDigest(key, document)] as const);
  const sorted = [...parts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...Object.fromEntries(sorted), "": keyed(key, JSON.stringify(sorted)) };
}

/** One line per thing in the document, named, with its own digest: what a comparison is made of. */
export function linesOf(key: string, document: ExportedDocument): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  const add = (name: string, value: unknown) => lines.set(name, keyed(key, `${name}\n${canonical(value)}`));
  switch (document.kind) {
    case "KeyValueMount":
      add(document.mount, { version: document.version, config: document.config });
      for (const secret of document.secrets)
        if (secret.path !== canaryPath) add(`${document.mount}${secret.path}`, comparable(secret));
      break;
    case "AclPolicies":
      for (const { name, policy } of document.policies) add(`policy ${name}`, policy);
      break;
    case "List":
      for (const item of document.items)
        if (item.metadata.name !== canarySecret)
          add(`${item.kind} ${item.metadata.namespace}/${item.metadata.name}`, item);
  }
  return lines;
}

function documentDigest(key: string, document: ExportedDocument): string {
  return keyed(key, JSON.stringify([...linesOf(key, document)].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Instants of writing differ after a restore, and what was deleted has no value any more. */
function comparable(secret: ExportedSecret): unknown {
  return {
    metadata: secret.metadata,
    versions: secret.versions.filter((v) => v.data !== null).map(({ version, data }) => ({ version, data })),
  };
}

/** Names of what is different between two documents, sorted; names only, never values. */
export function differences(key: string, one: ExportedDocument, other: ExportedDocument): readonly string[] {
  const a = linesOf(key, one);
  const b = linesOf(key, other);
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name)).sort();
}
