/** The house rules that no tool checks: layers, towers, cycles, package homes, sizes, names, the lockfile. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const layers: Readonly<Record<string, number>> = {
  ".": 0,
  time: 0,
  policy: 1,
  catalogue: 1,
  state: 1,
  retention: 2,
  recovery: 2,
  // Judges what recovery finds reachable.
  health: 3,
  lint: 3,
  plan: 3,
  exec: 3,
  crypto: 3,
  store: 3,
  source: 3,
  notify: 3,
  report: 4,
  // Judges what it writes by the rules of lint and plan.
  adopt: 4,
  repository: 4,
  engine: 5,
  platform: 5,
  operate: 6,
  cli: 7,
};
const pure = new Set([
  "policy",
  "catalogue",
  "state",
  "retention",
  "recovery",
  "health",
  "lint",
  "plan",
  "report",
  "adopt",
]);
const world = new Set(["exec", "crypto", "store", "source", "notify", "repository", "engine", "platform"]);
const homes: Readonly<Record<string, readonly string[]>> = {
  yaml: ["policy"],
  "js-yaml": ["policy"],
  ajv: ["policy"],
  "ajv-formats": ["policy"],
  // The store keeps objects; the engine of buckets looks after their settings.
  "@aws-sdk/client-s3": ["store", "engine"],
  "@aws-sdk/s3-request-presigner": ["store"],
  "simple-git": ["source"],
  "@kubernetes/client-node": ["platform"],
  octokit: ["notify"],
  "node-cron": ["platform"],
  "age-encryption": ["crypto"],
  pg: ["engine"],
  mongodb: ["engine"],
  "@clickhouse": ["engine"],
  "@redis/client": ["engine"],
  "prom-client": ["report"],
  pino: ["cli"],
  commander: ["cli"],
  "p-retry": ["store", "source", "notify", "operate"],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(root, "src", name), "utf8") }));

const imports: readonly Import[] = files.flatMap(({ name, text }) => {
  const found: Import[] = [];
  const statement =
    /^(?:import|export)\s+(type\s)?[^;"]*?from\s+"([^"]+)"|import\("([^"]+)"\)|^import\s+"([^"]+)"/gm;
  for (const match of text.matchAll(statement)) {
    const target = match[2] ?? match[3] ?? match[4] ?? "";
    const to = target.startsWith(".")
      ? relative(join(root, "src"), join(root, "src", dirname(name), target))
      : target;
    found.push({ from: name, to, isType: match[1] !== undefined });
  }
  return found;
});

function room(file: string): string {
  return file.includes("/") ? (file.split("/")[0] ?? ".") : ".";
}
const inside = imports.filter((i) => /\.(ts|mjs)$/.test(i.to));
const outside = imports.filter((i) => !/\.(ts|mjs|json)$/.test(i.to));

describe("the house", () => {
  it("has something to look at", () => {
    expect(files.length).toBeGreaterThan(40);
    expect(inside.length).toBeGreaterThan(100);
  });

  it("knows every room", () => {
    expect([...new Set(files.map((f) => room(f.name)))].filter((r) => layers[r] === undefined)).toEqual([]);
  });

  it("imports only downwards or within a room", () => {
    // Types of a contract may be named by any room; values may not be reached upwards.
    const wrong = inside.filter(
      (i) =>
        room(i.from) !== room(i.to) &&
        !i.isType &&
        (layers[room(i.to)] ?? 99) >= (layers[room(i.from)] ?? -1) &&
        room(i.to) !== ".",
    );
    expect(wrong).toEqual([]);
  });

  it("keeps the pure tower and the world apart", () => {
    const wrong = inside.filter((i) => {
      const [from, to] = [room(i.from), room(i.to)];
      if (pure.has(from) && world.has(to)) return !i.isType;
      return (
        world.has(from) &&
        ["retention", "recovery", "health", "lint", "plan", "report", "adopt"].includes(to) &&
        !i.isType
      );
    });
    expect(wrong).toEqual([]);
  });

  it("lets operate name the world only as types", () => {
    const wrong = inside.filter((i) => room(i.from) === "operate" && world.has(room(i.to)) && !i.isType);
    expect(wrong).toEqual([]);
  });

  it("keeps node and the clock out of pure rooms", () => {
    const nodes = outside.filter((i) => pure.has(room(i.from)) && i.to.startsWith("node:"));
    expect(nodes).toEqual([]);
    const clocks = files.filter(
      (f) => pure.has(room(f.name)) && /Date\.now\(|new Date\(\)|Math\.random\(|process\./.test(code(f.text)),
    );
    expect(clocks.map((f) => f.name)).toEqual([]);
  });

  it("gives each package one home", () => {
    const wrong = outside
      .filter((i) => !i.to.startsWith("node:"))
      .map((i) => ({
        ...i,
        to: i.to
          .split("/")
          .slice(0, i.to.startsWith("@") ? 2 : 1)
          .join("/"),
      }))
      .filter((i) => !(homes[i.to] ?? homes[i.to.split("/")[0] ?? ""] ?? []).includes(room(i.from)))
      // A driver may be loaded by the engine alone, its types too.
      .map((i) => `${i.from} imports ${i.to}`);
    expect(wrong).toEqual([]);
  });

  it("has no cycle of values", () => {
    const edges = new Map<string, string[]>();
    for (const i of inside) if (!i.isType) edges.set(i.from, [...(edges.get(i.from) ?? []), i.to]);
    expect(findCycle(edges)).toEqual([]);
  });

  it("keeps files small enough to read at a sitting", () => {
    const long = files
      .map((f) => ({ name: f.name, lines: f.text.split("\n").length }))
      .filter((f) => f.lines > 400);
    expect(long).toEqual([]);
  });

  it("names nothing with an empty word", () => {
    const forbidden = /(^|[-/])(manager|helper|helpers|util|utils|handler|common|misc|impl)([-.]|$)/;
    expect(files.map((f) => f.name).filter((name) => forbidden.test(name))).toEqual([]);
    const declared = /\b(?:class|interface|type|function|const)\s+\w*(?:Manager|Helper|Util|Handler|Impl)\b/;
    expect(files.filter((f) => declared.test(f.text)).map((f) => f.name)).toEqual([]);
  });

  it("asks for a component by name in engines and the table alone", () => {
    const byName =
      /(?:component|kind)\s*[!=]==\s*"(?:postgresql|mongodb|redis|clickhouse|s3|kubernetes|secrets)"/;
    const wrong = files.filter(
      (f) => !f.name.startsWith("engine/") && f.name !== "component.ts" && byName.test(f.text),
    );
    expect(wrong.map((f) => f.name)).toEqual([]);
  });

  it("keeps foreign hosts out of the lockfile", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
  });
});

/** The text without comments, so that a word in one is no finding. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

function findCycle(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of edges.keys()) {
    const cycle = visit(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
