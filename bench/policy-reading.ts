/** CPU seconds to read ten thousand policy files: `node bench/policy-reading.ts [count]`. */
import { readdirSync, readFileSync } from "node:fs";
import { readPolicySet } from "../src/policy/read.ts";
import type { SchemaSet } from "../src/policy/schemas.ts";

const root = new URL("../", import.meta.url);
const schemaFiles = {
  BackupPolicy: "backup-policy",
  RetentionTable: "retention-table",
  VerificationChecklist: "verification-checklist",
  AlertTable: "alert-table",
  Store: "store",
  KeyRing: "key-ring",
  Reconciler: "reconciler",
};
const schemas = Object.fromEntries(
  Object.entries(schemaFiles).map(([kind, name]) => [
    kind,
    JSON.parse(readFileSync(new URL(`schema/${name}.schema.json`, root), "utf8")),
  ]),
) as unknown as SchemaSet;
const count = Number(process.argv[2] ?? 10_000);
const shipped = readdirSync(new URL("policies", root)).map((name) => ({
  path: name,
  bytes: readFileSync(new URL(`policies/${name}`, root)),
}));
const text = readFileSync(new URL("policies/postgresql.yaml", root), "utf8");
const encoder = new TextEncoder();
const copies = Array.from({ length: count }, (_, i) => ({
  path: `copy-${i}.yaml`,
  bytes: encoder.encode(
    text.replace("name: postgresql\n", `name: copy-${i}\n`).replace('"0 2 *', `"${i % 60} ${i % 24} *`),
  ),
}));

const before = process.cpuUsage();
const { set, findings } = readPolicySet([...shipped, ...copies], schemas);
const used = process.cpuUsage(before);
console.log(
  JSON.stringify({
    files: shipped.length + count,
    policies: set.policies.length,
    findings: findings.length,
    cpuSeconds: (used.user + used.system) / 1e6,
  }),
);
