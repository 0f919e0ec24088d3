/** Bad input to any verb: a clear message, the right exit status, and no stack of ours. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { verbExits } from "../../src/cli/exit-help.ts";
import { exitStatuses } from "../../src/errors.ts";
import { holdfast, policiesPath } from "./holdfast.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-bad-input-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "not-a-key"), "hello\n");
writeFileSync(join(folder, "full"), "something");

const cases: readonly [args: string, status: number, says: RegExp][] = [
  ["", 2, /Usage: holdfast/],
  ["restroe", 2, /Did you mean restore/],
  ["restore", 2, /which policy\?[\s\S]*--all/],
  ["restore --to X", 2, /which policy\?/],
  ["restore postgresql", 2, /--to DIR/],
  ["restore postgresql --to X --at yesterday", 2, /2026-11-20T14:03:00Z/],
  ["restore postgresql --to X --at 2026-11-20T14:03:00", 2, /offset/],
  ["restore postgresql --to X --at 2026-13-40T99:00:00Z", 2, /instant/],
  ["restore postgresql --to X --lsn 1/0 --name a", 2, /only one target/],
  ["restore postgresql --to X --lsn zebra", 2, /no log position/],
  ["restore postgres --to X", 2, /no usable policy is called 'postgres'/],
  ["verify postgresql --level 6", 2, /level 6 is of the whole stack[\s\S]*verify --all/],
  ["backup postgresql --slot tomorrow", 2, /instant/],
  ["backup nothing", 2, /postgresql/],
  ["wal redis", 2, /not there yet|keeps no change log/],
  ["verify postgresql --level 9", 2, /whole number from 0 to 6/],
  ["verify postgresql --all", 2, /every policy/],
  ["list postgresql --format xml", 2, /Allowed choices are text, json/],
  ["explain encryption/mising", 2, /holdfast explain encryption-missing/],
  ["explain ../../README", 2, /no rule is called/],
  ["lint /no/such/folder", 2, /cannot be read/],
  [`lint ${policiesPath} --baseline /no/such/file`, 2, /cannot be read as a baseline/],
  [`lint ${policiesPath} --write-baseline /no/such/folder/b.json`, 2, /cannot be written/],
  ["comment /no/such/file", 2, /cannot be read as a review/],
  ["apply --review /no/such/file", 2, /cannot be read as a review/],
  ["plan --post", 2, /belong to a review/],
  ["init --holdfast a/b@main X", 2, /names no commit/],
  ["lint --format pdf", 2, /Allowed choices/],
  ["list --policies /no/such/folder", 2, /cannot be read/],
  ["hold postgresql 20260101T000000Z", 2, /needs --reason/],
  ["simulate postgresql --days 0 --offline", 2, /whole number/],
  ["simulate postgresql --days many --offline", 2, /whole number/],
  ["key destroy", 2, /no action of key/],
  ["key new", 2, /--out/],
  [`key new --out ${join(folder, "full")}`, 2, /never overwritten/],
  [`key test --identity ${join(folder, "not-a-key")}`, 12, /holds no age identity/],
  [`key test --identity ${join(folder, "absent")}`, 12, /is not there/],
  ["key test", 12, /no identity/],
  [`init ${folder}`, 2, /is not empty/],
  ["at noon", 2, /instant/],
  ["status --bundle /no/bundle.json", 2, /no bundle/],
];

describe("bad input", () => {
  it.each(cases)("holdfast %s ends with %i", async (args, status, says) => {
    const run = await holdfast(
      args.split(" ").filter((a) => a !== ""),
      { cwd: folder },
    );
    expect(run.stderr + run.stdout).toMatch(says);
    expect(run.status).toBe(status);
    expect(run.stderr).not.toMatch(/\n\s+at .*\.ts:\d+/);
  });

  it("ends every help with the statuses the verb can give", async () => {
    for (const verb of Object.keys(verbExits)) {
      const { stdout, status } = await holdfast([verb, "--help"]);
      expect(status, verb).toBe(0);
      expect(stdout, verb).toContain("Exit status:");
      for (const name of verbExits[verb as keyof typeof verbExits]) {
        expect(stdout, verb).toContain(`${exitStatuses[name].status}  ${exitStatuses[name].meaning}`);
      }
    }
  });

  it("prints its version", async () => {
    expect((await holdfast(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
