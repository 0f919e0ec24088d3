/**
 * The whole test run: types, format and lint, then every vitest project, one after the other because the
 * machine has few cores and the servers are real. A skip that `known-skips.json` does not name is a
 * failure. The last line is always `N passed, N failed, N skipped`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

interface Case {
  readonly fullName: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}
interface Results {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly Case[];
  }[];
}
interface KnownSkip {
  readonly test: string;
  readonly reason: string;
}

const known = JSON.parse(
  readFileSync(new URL("known-skips.json", import.meta.url), "utf8"),
) as readonly KnownSkip[];
const root = join(import.meta.dirname, "..");
/** Of each failure. */
const mostLines = 8;
const only = process.argv.slice(2);
const projects = only.length > 0 ? only : ["unit", "conformance", "integration", "e2e"];
const scratch = mkdtempSync(join(tmpdir(), "holdfast-test-"));
let passed = 0;
let failed = 0;
const skips: string[] = [];
/** What failed and what it said first: the last lines of a log are all that some people see. */
const failures: string[] = [];

function gate(name: string, command: string, args: readonly string[]): void {
  const startedAtMs = performance.now();
  const { status } = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (status === 0) passed += 1;
  else fail(name, "its output stands above");
}

function fail(what: string, message: string): void {
  failed += 1;
  const lines = message.split("\n").filter((line) => line.trim() !== "" && !line.includes("node_modules"));
  failures.push([what, ...lines.slice(0, mostLines).map((line) => `    ${line.slice(0, 300)}`)].join("\n"));
}

function runProject(name: string): void {
  const file = join(scratch, `${name}.json`);
  const { status } = spawnSync(
    "vitest",
    [
      "run",
      "--config",
      "test/vitest.config.ts",
      "--project",
      name,
      "--passWithNoTests",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  let results: Results;
  try {
    results = JSON.parse(readFileSync(file, "utf8")) as Results;
  } catch {
    fail(name, `the test runner left no results (status ${status})`);
    return;
  }
  const failedBefore = failed;
  for (const suite of results.testResults) {
    const file = relative(root, suite.name);
    if (suite.status === "failed" && suite.assertionResults.every((c) => c.status !== "failed"))
      fail(file, suite.message ?? "");
    for (const c of suite.assertionResults) {
      if (c.status === "passed") passed += 1;
      else if (c.status === "failed") fail(`${file} > ${c.fullName.trim()}`, c.failureMessages.join("\n"));
      else skips.push(c.fullName.trim());
    }
  }
  // A crash after the last assertion (an unhandled rejection, say) must not look like success.
  if (status !== 0 && failed === failedBefore)
    fail(name, `no test failed, and the runner ended with status ${status}; its output stands above`);
}

if (only.length === 0) {
  gate("types", "tsc", ["--noEmit"]);
  gate("format and lint", "biome", ["check", "--error-on-warnings", "."]);
}
for (const name of projects) runProject(name);

for (const name of skips) {
  const reason = known.find((k) => name.includes(k.test))?.reason;
  console.log(`skipped: ${name} (${reason ?? "not in test/known-skips.json"})`);
  if (reason === undefined) failed += 1;
}
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failed} failed, ${skips.length} skipped`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
