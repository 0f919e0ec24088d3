/** What a start loads: the drivers of other components cost every run half of its memory and of its time to start. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { postgresqlPolicy } from "../servers/postgresql-policy.ts";

const mainPath = join(import.meta.dirname, "../../src/cli/main.ts");
const folder = mkdtempSync(join(tmpdir(), "holdfast-loading-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Tells at the end which packages and which engines were read, one line for each. */
const listener = `
import { registerHooks } from "node:module";
import { writeFileSync } from "node:fs";
const seen = new Set();
registerHooks({
  load(url, context, next) {
    const found = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url) ?? /src\\/(engine\\/[a-z0-9]+)\\//.exec(url);
    if (found !== null) seen.add(found[1]);
    return next(url, context);
  },
});
process.on("exit", () => writeFileSync(process.env.LOADED, [...seen].sort().join("\\n")));
`;

const policy = postgresqlPolicy({
  port: 1,
  store: join(folder, "store"),
  recipient: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
});

/** Exit status, and what was loaded, of a verb that ends because nobody listens at the policy's port. */
function loadedBy(...args: readonly string[]): {
  readonly stderr: string;
  readonly loaded: readonly string[];
} {
  const [policies, listenerPath, list] = ["policies", "listener.mjs", "loaded"].map((n) => join(folder, n));
  mkdirSync(policies ?? "", { recursive: true });
  mkdirSync(join(folder, "store"), { recursive: true });
  writeFileSync(join(policies ?? "", "all.yaml"), policy);
  writeFileSync(listenerPath ?? "", listener);
  const { stderr } = spawnSync(
    process.execPath,
    ["--import", listenerPath ?? "", mainPath, ...args, "--policies", policies ?? ""],
    { encoding: "utf8", env: { ...process.env, LOADED: list, HOLDFAST_STATE: join(folder, "state") } },
  );
  return { stderr, loaded: readFileSync(list ?? "", "utf8").split("\n") };
}

describe("a start", () => {
  it("on an older Node says which one is wanted, and does not crash", () => {
    const older = 'Object.defineProperty(process, "versions", { value: { node: "20.19.0" } })';
    const bin = join(import.meta.dirname, "../../src/cli/holdfast.mjs");
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import", `data:text/javascript,${encodeURIComponent(older)}`, bin, "--version"],
      { encoding: "utf8" },
    );
    expect(stderr).toMatch(
      /^error usage: Holdfast needs Node 24 or newer, and this is 20\.19\.0\n {2}next: /,
    );
    expect(status).toBe(2);
  });
});

describe("a backup of one component", () => {
  const { stderr, loaded } = loadedBy("backup", "postgresql", "--quiet");

  it("has come as far as its source", () => {
    expect(stderr).toContain("source-unreachable");
    expect(loaded).toContain("pg");
    expect(loaded).toContain("engine/postgresql");
  });

  it("loads no engine but its own", () => {
    expect(loaded.filter((name) => name.startsWith("engine/"))).toEqual(["engine/postgresql"]);
  });

  it("loads no driver of another component, and none of another store or platform", () => {
    const foreign =
      /^(mongodb|bson|@redis|@clickhouse|@aws-sdk|@smithy|@kubernetes|octokit|node-cron|simple-git|prom-client)/;
    expect(loaded.filter((name) => foreign.test(name))).toEqual([]);
  });

  it("loads nothing that only faults and log lines need", () => {
    expect(loaded.filter((name) => /^(yaml|ajv|pino)$/.test(name))).toEqual([]);
  });

  it("leaves the making of its key to another thread", () => {
    expect(loaded.filter((name) => /^(age-encryption|@noble)/.test(name))).toEqual([]);
  });
});
