/**
 * Writes docs/benchmarks.md from bench/results/*.json, and with names as arguments runs those benches first:
 * `node bench/publish.ts full-backup lint`. No figure in the page is typed by hand.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

const results = join(import.meta.dirname, "results");

/** The figures that goals are about, of whichever bench. */
interface Figures {
  readonly overBare?: number;
  readonly overPgBackRest?: number;
  readonly ofBare?: number;
  readonly ratio?: number;
  readonly cpuSeconds?: number;
  readonly cpuMsPerPoll?: number;
  readonly aroundToolMs?: number;
  readonly peaks?: readonly { readonly discardMb: number; readonly folderMb: number }[];
}

interface Result extends Figures {
  readonly what?: string;
  readonly machine?: { readonly cores: number; readonly memoryGib: number; readonly cpu: string };
  readonly node?: string;
}

interface Bench {
  /** File of the result. */
  readonly name: string;
  readonly title: string;
  readonly args?: readonly string[];
  readonly goal: string;
  /** A figure that is not there meets no goal. */
  readonly isMet: (figures: Figures) => boolean;
  /** Where it has another name than the result. */
  readonly script?: string;
}

const atMost = (most: number, figure: number | undefined): boolean =>
  (figure ?? Number.POSITIVE_INFINITY) <= most;
const besidePipe = "at most 1.10 times the bare pipe; not slower than pgBackRest at the same codec";
const besideTool = "at most 1.05 times the raw tool";
const isBesidePipe = (f: Figures): boolean => atMost(1.1, f.overBare) && atMost(1, f.overPgBackRest);
const isBesideTool = (f: Figures): boolean => atMost(1.05, f.ofBare);

/** In the order of the page. */
export const benches: readonly Bench[] = [
  {
    name: "full-backup",
    title: "Full backup of a real cluster, beside pgBackRest and the bare pipe",
    args: ["150", "9"],
    goal: besidePipe,
    isMet: isBesidePipe,
  },
  {
    name: "full-backup-large",
    title: "The same of a cluster twice as large",
    args: ["300"],
    goal: besidePipe,
    isMet: isBesidePipe,
    script: "full-backup",
  },
  {
    name: "fixed-cost",
    title: "What a full backup costs whatever the size of the cluster",
    goal: "at most 450 ms around the tool, a tenth of the bare pipe at two gigabytes",
    isMet: (f) => atMost(450, f.aroundToolMs),
  },
  {
    name: "data-path",
    title: "The data path alone, beside the bare pipe of the same work",
    goal: "at most 1.10 times the bare pipe on a discarding sink",
    isMet: (f) => atMost(1.1, f.ratio),
  },
  {
    name: "memory",
    title: "Peak memory of the whole process tree",
    args: ["1,4,16"],
    goal: "under 128 MB at 1, 4 and 16 GiB",
    isMet: ({ peaks = [] }) =>
      peaks.length === 3 && peaks.every((p) => Math.max(p.discardMb, p.folderMb) < 128),
  },
  {
    name: "wal-drain",
    title: "Draining WAL segments into the store",
    goal: "at least 0.9 of the bare pipe",
    isMet: (f) => (f.ofBare ?? 0) >= 0.9,
  },
  {
    name: "redis-capture",
    title: "A snapshot of Redis, beside the raw tool through the same pipe",
    goal: besideTool,
    isMet: isBesideTool,
  },
  {
    name: "clickhouse-capture",
    title: "A full backup of ClickHouse, beside its bare BACKUP",
    goal: besideTool,
    isMet: isBesideTool,
  },
  {
    name: "secrets-snapshot",
    title: "A raft snapshot of secrets, beside the raw tool through the same pipe",
    goal: besideTool,
    isMet: isBesideTool,
  },
  {
    name: "mongodb-capture",
    title: "A dump of MongoDB, beside the raw tool through the same pipe",
    args: ["100", "5"],
    goal: besideTool,
    isMet: isBesideTool,
  },
  {
    name: "s3-inventory",
    title: "A capture of a replicated bucket, beside mc's listing of both sides",
    goal: besideTool,
    isMet: isBesideTool,
  },
  {
    name: "lint",
    title: "Linting 10,000 policies with every rule, positions included",
    goal: "under 3.8 CPU seconds",
    isMet: (f) => atMost(3.8, f.cpuSeconds),
  },
  {
    name: "poll",
    title: "A poll with no change",
    goal: "at most 5 ms of CPU, no LIST",
    isMet: (f) => atMost(5, f.cpuMsPerPoll),
  },
];

/** Runs one bench; afterwards its result is in its file. */
function measure({ name, args = [], script = name }: Bench): void {
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

/** The page of the results there are. */
export function benchmarksPage(): string {
  const lines = [
    "# Benchmarks",
    "",
    "Made by `node bench/publish.ts`, from scripts in `bench/` that run the peers beside us on one machine in one run. Seconds are wall time unless they are called CPU seconds; medians where there are rounds.",
    "",
  ];
  for (const { name, title, goal, isMet, script = name } of benches) {
    const path = join(results, `${name}.json`);
    lines.push(`## ${title}`, "");
    if (!existsSync(path)) {
      lines.push(`Goal: ${goal}. Script: \`bench/${script}.ts\`.`, "", "Not measured yet.", "");
      continue;
    }
    const value = JSON.parse(readFileSync(path, "utf8")) as Result;
    const verdict = isMet(value) ? "Met" : "**Not met**";
    lines.push(`Goal: ${goal}. ${verdict}. Script: \`bench/${script}.ts\`.`, "");
    if (value.what !== undefined) lines.push(`${value.what}.`, "");
    lines.push("| figure | value |", "|---|---|", ...rowsOf(value), "");
    if (value.machine !== undefined)
      lines.push(
        `On ${value.machine.cores} cores (${value.machine.cpu}), ${value.machine.memoryGib} GiB, Node ${value.node}.`,
        "",
      );
  }
  return lines.join("\n");
}

if (import.meta.main) {
  const asked = process.argv.slice(2);
  for (const bench of benches) if (asked.includes(bench.name)) measure(bench);
  writeFileSync(join(import.meta.dirname, "../docs/benchmarks.md"), benchmarksPage());
}
