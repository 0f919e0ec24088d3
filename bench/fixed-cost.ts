/**
 * What a full backup costs whatever the size of the cluster: `holdfast backup` as a process, of a cluster that is
 * empty, seen from outside alone. The server's log tells when it was first asked, a script in the place of
 * pg_basebackup when that began and ended, the store when the object stood in its place. Medians of ROUNDS rounds,
 * each beside the bare tool into the same compressor. Usage: node bench/fixed-cost.ts [rounds]
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { newIdentity } from "../src/crypto/identity.ts";
import { mainPath } from "../test/e2e/holdfast.ts";
import { startPostgres } from "../test/servers/postgresql.ts";
import { postgresqlPolicy } from "../test/servers/postgresql-policy.ts";

const rounds = Number(process.argv[2] ?? 11);
const folder = mkdtempSync(join(tmpdir(), "holdfast-fixed-"));
chmodSync(folder, 0o755);
const marks = join(folder, "marks");
const tools = join(folder, "tools");
const policies = join(folder, "policies");
const store = join(folder, "store");
for (const made of [tools, policies, store]) mkdirSync(made);

interface Split {
  /** From exec to the first word to the server: the program, the policies, the lease, the catalogue. */
  readonly startMs: number;
  /** Until the tool begins. */
  readonly probeMs: number;
  readonly toolMs: number;
  /** From the tool's end until the object is on the disk and has its name. */
  readonly storeMs: number;
  /** The manifest, the lease, and the end of the process. */
  readonly endMs: number;
}

const postgres = await startPostgres({
  settings: {
    fsync: "off",
    log_connections: "on",
    log_line_prefix: "%n ",
    logging_collector: "on",
    log_filename: "server",
  },
});

/** Milliseconds since 1970 at which the server was first spoken to after `sinceMs`. */
function firstAskedMs(sinceMs: number): number {
  const lines = readFileSync(join(postgres.dataDirectory, "log", "server"), "utf8").split("\n");
  const asked = lines
    .filter((line) => line.includes("connection received"))
    .map((l) => Number.parseFloat(l) * 1000);
  return asked.find((ms) => ms >= sinceMs) ?? Number.NaN;
}

async function ended(argv: readonly string[]): Promise<void> {
  const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: ["ignore", "ignore", "inherit"] });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (status !== 0) throw new Error(`${argv.slice(0, 3).join(" ")} ended with ${status}`);
}

/** When the script in the tool's place began and ended, and its marks are gone. */
function takeMarks(): readonly [beganMs: number, endedMs: number] {
  const [began, over] = readFileSync(marks, "utf8").trim().split("\n");
  rmSync(marks);
  return [Number(began) * 1000, Number(over) * 1000];
}

async function holdfast(round: number): Promise<Split> {
  const slot = `2026-01-01T00:${String(round).padStart(2, "0")}:00Z`;
  const beganMs = performance.timeOrigin + performance.now();
  const places = ["--policies", policies, "--state", join(folder, "state")];
  await ended([process.execPath, mainPath, "backup", "postgresql", "--quiet", ...places, "--slot", slot]);
  const overMs = performance.timeOrigin + performance.now();
  const askedMs = firstAskedMs(beganMs);
  const [toolMs, toolOverMs] = takeMarks();
  const data = join(store, "postgresql/data", `20260101T00${String(round).padStart(2, "0")}00Z`);
  const object = readdirSync(data, { recursive: true, encoding: "utf8" }).find((n) => n.includes("base.tar"));
  const storedMs = statSync(join(data, object ?? "")).ctimeMs;
  return {
    startMs: askedMs - beganMs,
    probeMs: toolMs - askedMs,
    toolMs: toolOverMs - toolMs,
    storeMs: storedMs - toolOverMs,
    endMs: overMs - storedMs,
  };
}

async function bareTool(): Promise<number> {
  const tool = `${tools}/pg_basebackup -h 127.0.0.1 -p ${postgres.port} -U postgres -D - -Ft -X fetch --checkpoint=fast --manifest-checksums=SHA256`;
  await ended(["bash", "-o", "pipefail", "-c", `${tool} | zstd -3 --single-thread -c > /dev/null`]);
  const [beganMs, overMs] = takeMarks();
  return overMs - beganMs;
}

function median(values: readonly number[]): number {
  return Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

try {
  const tool = join(postgres.binDirectory, "pg_basebackup");
  const mark = `echo "$EPOCHREALTIME" >> ${marks}`;
  const script = `#!/bin/bash\n[ "$1" = --version ] && exec ${tool} --version\n${mark}\n${tool} "$@"; status=$?\n${mark}\nexit $status\n`;
  writeFileSync(join(tools, "pg_basebackup"), script, { mode: 0o755 });
  const { recipient } = await newIdentity();
  writeFileSync(
    join(policies, "all.yaml"),
    postgresqlPolicy({ port: postgres.port, store, recipient, toolDirectory: tools }),
  );
  // The first of each warms caches and counts for nothing.
  await holdfast(0);
  await bareTool();
  const splits: Split[] = [];
  const bare: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    bare.push(await bareTool());
    splits.push(await holdfast(round));
  }
  const of = (field: keyof Split) => median(splits.map((s) => s[field]));
  const around = (s: Split) => s.startMs + s.probeMs + s.storeMs + s.endMs;
  console.log(
    JSON.stringify({
      what: "one full backup of an empty cluster into a folder, zstd 3, encrypted; milliseconds",
      rounds,
      cores: cpus().length,
      bareToolMs: median(bare),
      startMs: of("startMs"),
      probeMs: of("probeMs"),
      toolMs: of("toolMs"),
      storeMs: of("storeMs"),
      endMs: of("endMs"),
      aroundToolMs: median(splits.map(around)),
      wholeMs: median(splits.map((s) => around(s) + s.toolMs)),
    }),
  );
} finally {
  await postgres.remove();
  rmSync(folder, { recursive: true, force: true });
}
