/** Where a verb gets its policies: a folder, or the bundle of one revision that the reconciler has kept. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { gunzipSync } from "node:zlib";
import { HoldfastError } from "../errors.ts";
import { type DocumentKind, documentKinds, type PolicyFile } from "../policy/model.ts";

/** As much as one revision may have. */
const longestBundleBytes = 512 * 2 ** 20;

export interface PolicyOrigin {
  readonly files: readonly PolicyFile[];
  /** Commit id; empty when read from a folder. */
  readonly revision: string;
}

/**
 * Every YAML file at or below `paths`, sorted by path; names are relative to the working directory.
 * @throws usage when a path is not there or holds no YAML
 */
export async function readPolicyPaths(paths: readonly string[]): Promise<readonly PolicyFile[]> {
  const files: PolicyFile[] = [];
  for (const path of paths) {
    const found = await yamlBelow(path);
    for (const name of found)
      files.push({ path: relative(process.cwd(), name) || name, bytes: await readFile(name) });
  }
  if (files.length === 0) {
    throw new HoldfastError("usage", `there is no YAML file at ${paths.map((p) => `'${p}'`).join(", ")}`, {
      hint: "name the folder of the policies, or run holdfast init to start one",
    });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function yamlBelow(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries
      .filter((e) => e.isFile() && /\.ya?ml$/i.test(e.name))
      .map((e) => join(e.parentPath, e.name));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTDIR") return [path];
    throw new HoldfastError("usage", `'${path}' cannot be read (${code ?? String(error)})`, {
      hint: "name the folder of the policies with --policies",
      cause: error,
    });
  }
}

/** @throws usage when the file is no bundle */
export async function readBundle(path: string): Promise<PolicyOrigin> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new HoldfastError("usage", `'${path}' is no bundle of a revision`, { cause });
  });
  return decodeBundle(bytes, path);
}

/** @throws usage when the bytes are no bundle */
export function decodeBundle(bytes: Uint8Array, path: string): PolicyOrigin {
  try {
    // A cluster hands it out compressed, because what it hands out has a limit.
    const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const plain = isCompressed ? gunzipSync(bytes, { maxOutputLength: longestBundleBytes }) : bytes;
    const text = Buffer.from(plain).toString("utf8");
    const parsed = JSON.parse(text) as {
      commit: string;
      files: readonly { path: string; text: string }[];
    };
    const files = parsed.files.map((f) => ({ path: f.path, bytes: new TextEncoder().encode(f.text) }));
    return { files, revision: parsed.commit };
  } catch (cause) {
    throw new HoldfastError("usage", `'${path}' is no bundle of a revision`, { cause });
  }
}

const schemaFiles: Readonly<Record<DocumentKind, string>> = {
  BackupPolicy: "backup-policy",
  RetentionTable: "retention-table",
  VerificationChecklist: "verification-checklist",
  AlertTable: "alert-table",
  Store: "store",
  KeyRing: "key-ring",
  Reconciler: "reconciler",
};

/** The schemas, read from `schema/` beside the program. */
export async function readSchemas(): Promise<Readonly<Record<DocumentKind, object>>> {
  const read = async (kind: DocumentKind): Promise<[DocumentKind, object]> => {
    const url = new URL(`../../schema/${schemaFiles[kind]}.schema.json`, import.meta.url);
    return [kind, JSON.parse(await readFile(url, "utf8")) as object];
  };
  return Object.fromEntries(await Promise.all(documentKinds.map(read))) as Record<DocumentKind, object>;
}
