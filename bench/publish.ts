/**
 * Writes docs/benchmarks.md from bench/results/*.json, and with names as arguments runs those benches first:
 * `node bench/publish.ts full-backup lint`. No figure in the page is typed by hand.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

const results = join(import.meta.dirname, "results");

/** In the order of the page: file of the result, title, arguments, what the figure should be, script where it has another name. */
const benches: readonly (readonly [
  name: string,
  title: string,
  args: readonly string[],
  goal: string,
  script?: string,
])[] = [
  [
    "full-backup",
    "Full backup of a real cluster, beside pgBackRest and the bare pipe",
    ["150"],
    "at most 1.10 times the bare pipe; not slower than pgBackRest at the same codec",
  ],
  [
    "full-backup-large",
    "The same of a cluster twice as large",
    ["300"],
    "at most 1.10 times the bare pipe; not slower than pgBackRest at the same codec",
    "full-backup",
  ],
  [
    "data-path",
    "The data path alone, beside the bare pipe of the same work",
    [],
    "at most 1.10 times the bare pipe on a discarding sink",
  ],
  ["memory", "Peak memory of the whole process tree", ["1,4,16"], "under 128 MB at 1, 4 and 16 GiB"],
  ["wal-drain", "Draining WAL segments into the store", [], "at least 0.9 of the bare pipe"],
  [
    "redis-capture",
    "A snapshot of Redis, beside the raw tool through the same pipe",
    [],
    "at most 1.05 times the raw tool",
  ],
  [
    "clickhouse-capture",
    "A full backup of ClickHouse, beside its bare BACKUP",
    [],
    "at most 1.05 times the raw tool",
  ],
  [
    "secrets-snapshot",
    "A raft snapshot of secrets, beside the raw tool through the same pipe",
    [],
    "at most 1.05 times the raw tool",
  ],
  [
    "mongodb-capture",
    "A dump of MongoDB, beside the raw tool through the same pipe",
    ["20", "3"],
    "at most 1.05 times the raw tool",
  ],
  [
    "s3-inventory",
    "A capture of a replicated bucket, beside mc's listing of both sides",
    [],
    "at most 1.05 times the raw tool",
  ],
  ["lint", "Linting 10,000 policies with every rule, positions included", [], "under 3.8 CPU seconds"],
  ["poll", "A poll with no change", [], "at most 5 ms of CPU, no LIST"],
];

const asked = process.argv.slice(2);
for (const [name, , args, , script = name] of benches) {
  if (!asked.includes(name)) continue;
  console.error(`running ${name}`);
  const out = execFileSync(process.execPath, [join(import.meta.dirname, `${script}.ts`), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1e8,
  });
  const text = out.slice(out.indexOf("{"));
  const value = JSON.parse(text) as object;
  const machine = {
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    cpu: cpus()[0]?.model ?? "",
  };
  writeFileSync(
    join(results, `${name}.json`),
    `${JSON.stringify({ ...value, machine, node: process.version }, null, 2)}\n`,
  );
}

function rowsOf(value: unknown, path = ""): readonly string[] {
  if (value === null || typeof value !== "object") return [`| ${path} | ${String(value)} |`];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "machine" || key === "node" || key === "what"
      ? []
      : rowsOf(inner, path === "" ? key : `${path} ${key}`),
  );
}

const lines = [
  "# Benchmarks",
  "",
  "Made by `node bench/publish.ts`, from scripts in `bench/` that run the peers beside us on one machine in one run. Where a goal is not met the figure says so. Seconds are wall time unless they are called CPU seconds; medians where there are rounds.",
  "",
];
for (const [name, title, , goal, script = name] of benches) {
  const path = join(results, `${name}.json`);
  lines.push(`## ${title}`, "", `Goal: ${goal}. Script: \`bench/${script}.ts\`.`, "");
  if (!existsSync(path)) {
    lines.push("Not measured yet.", "");
    continue;
  }
  const value = JSON.parse(readFileSync(path, "utf8")) as {
    what?: string;
    machine?: { cores: number; memoryGib: number; cpu: string };
    node?: string;
  };
  if (value.what !== undefined) lines.push(`${value.what}.`, "");
  lines.push("| figure | value |", "|---|---|", ...rowsOf(value), "");
  if (value.machine !== undefined)
    lines.push(
      `On ${value.machine.cores} cores (${value.machine.cpu}), ${value.machine.memoryGib} GiB, Node ${value.node}.`,
      "",
    );
}
writeFileSync(join(import.meta.dirname, "../docs/benchmarks.md"), lines.join("\n"));
