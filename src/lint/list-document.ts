/** Finds the document that holds a named row, key, alert or receiver: the set has the lists of all documents as one. */
import type { YamlPath } from "../policy/model.ts";
import type { Complaint } from "./rule.ts";

interface DocumentEntry {
  readonly kind: string;
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** The complaint's document and path with a name behind a list turned into document and index. */
export function listDocument(
  complaint: Complaint,
  entries: readonly DocumentEntry[],
): { readonly document: Complaint["document"]; readonly path: YamlPath } {
  const { document, path } = complaint;
  if (document.name !== "") return { document, path };
  const [field, item, ...rest] = path;
  const candidates = entries.filter((entry) => entry.kind === document.kind);
  if (typeof item === "string") {
    for (const entry of candidates) {
      const items = entry.value[String(field)];
      if (!Array.isArray(items)) continue;
      const index = items.findIndex((i: unknown) => (i as { name?: unknown } | null)?.name === item);
      if (index >= 0)
        return {
          document: { kind: entry.kind, name: entry.name },
          path: [String(field), index, ...rest],
        };
    }
  }
  const first = candidates[0];
  return first === undefined
    ? { document, path }
    : { document: { kind: first.kind, name: first.name }, path };
}
