/** The schemas of the documents, read as the program reads them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SchemaSet } from "../../../src/policy/schemas.ts";

function schema(name: string): object {
  const path = join(import.meta.dirname, `../../../schema/${name}.schema.json`);
  return JSON.parse(readFileSync(path, "utf8")) as object;
}

export const schemas: SchemaSet = {
  BackupPolicy: schema("backup-policy"),
  RetentionTable: schema("retention-table"),
  VerificationChecklist: schema("verification-checklist"),
  AlertTable: schema("alert-table"),
  Store: schema("store"),
  KeyRing: schema("key-ring"),
  Reconciler: schema("reconciler"),
};
