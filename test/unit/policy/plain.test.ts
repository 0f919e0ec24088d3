/** The quick way to a policy set gives what the thorough one gives, or nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PolicyFile, PolicySet } from "../../../src/policy/model.ts";
import { readPlainSet } from "../../../src/policy/plain.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import { schemas } from "./schema-files.ts";

const folder = join(import.meta.dirname, "../../../policies");
const shipped: readonly PolicyFile[] = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .sort()
  .map((name) => ({ path: name, bytes: readFileSync(join(folder, name)) }));

function withoutPlaces(set: PolicySet | undefined) {
  return set === undefined
    ? undefined
    : { ...set, waivers: set.waivers.map(({ location: _, ...rest }) => rest) };
}

/** The shipped files with one text in one of them replaced. */
function shippedBut(name: string, text: string, by: string): readonly PolicyFile[] {
  return shipped.map((file) => {
    if (file.path !== name) return file;
    const changed = Buffer.from(file.bytes).toString("utf8").replace(text, by);
    expect(changed).not.toBe(Buffer.from(file.bytes).toString("utf8"));
    return { path: file.path, bytes: Buffer.from(changed) };
  });
}

describe("readPlainSet", () => {
  it("gives the set of the shipped policies, waivers included", () => {
    const whole = readPolicySet(shipped, schemas);
    expect(whole.findings.filter((f) => f.severity === "error")).toEqual([]);
    expect(whole.set.waivers.length).toBeGreaterThan(0);
    expect(withoutPlaces(readPlainSet(shipped))).toEqual(withoutPlaces(whole.set));
  });

  it.each([
    ["an unknown name", shippedBut("postgresql.yaml", "retention: ", "retention: no-such-row # ")],
    ["an unknown key", shippedBut("postgresql.yaml", "schedule:", "schedul:")],
    ["a value of another kind", shippedBut("postgresql.yaml", "kind: BackupPolicy", "kind: Backup")],
    ["a name that comes twice", [...shipped, { ...shipped[0]!, path: "again.yaml" }]],
    ["a file without a document", [...shipped, { path: "empty.yaml", bytes: Buffer.from("") }]],
    ["a file that is no UTF-8", [...shipped, { path: "bytes.yaml", bytes: Buffer.from([0xff, 0x41]) }]],
    ["an anchor", shippedBut("postgresql.yaml", "owner: ", "owner: &owner ")],
  ])("gives nothing for %s", (_name, files) => {
    expect(readPlainSet(files)).toBeUndefined();
  });
});
