/**
 * One full backup of one real cluster, three ways in turn: the bare pipe of the same work into a discarding
 * sink, `holdfast backup` as a process into a folder, and pgBackRest into a folder at the same codec and with
 * its own encryption. Medians of ROUNDS rounds. Usage: node bench/full-backup.ts [scale] [rounds]
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { newIdentity } from "../src/crypto/identity.ts";
import { mainPath } from "../test/e2e/holdfast.ts";
import { startPostgres } from "../test/servers/postgresql.ts";
import { postgresqlPolicy } from "../test/servers/postgresql-policy.ts";
import { treePeak } from "./tree-peak.ts";

const scale = Number(process.argv[2] ?? 60);
const rounds = Number(process.argv[3] ?? 3);
const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
chmodSync(folder, 0o755);

interface Sample {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

/** Wall time, CPU of the process and its children, and the peak of the whole tree's memory. */
async function timed(argv: readonly string[], env: Record<string, string> = {}): Promise<Sample> {
  const before = childrenCpuSeconds();
  const startedMs = performance.now();
  const child = spawn(argv[0] ?? "", argv.slice(1), {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  const peak = treePeak(child.pid ?? 0);
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (status !== 0)
    throw new Error(`${argv.slice(0, 3).join(" ")} ended with ${status}: ${said.slice(-2000)}`);
  return {
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: childrenCpuSeconds() - before,
    peakMb: peak.stop() / 1024 / 1024,
  };
}

function childrenCpuSeconds(): number {
  const fields =
    execFileSync("cat", [`/proc/${process.pid}/stat`], { encoding: "utf8" })
      .split(") ")[1]
      ?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function median(samples: readonly Sample[], field: keyof Sample): number {
  const sorted = samples.map((s) => s[field]).sort((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? 0) * 100) / 100;
}

const postgres = await startPostgres({ settings: { max_wal_size: "4GB", fsync: "off" } });
const result: Record<string, unknown> = {};
try {
  const port = String(postgres.port);
  console.error(`filling a cluster at pgbench scale ${scale}`);
  execFileSync(
    join(postgres.binDirectory, "pgbench"),
    [
      "-h",
      "127.0.0.1",
      "-p",
      port,
      "-U",
      "postgres",
      "-i",
      "-I",
      "dtg",
      "-s",
      String(scale),
      "-q",
      "postgres",
    ],
    { stdio: "ignore" },
  );
  await postgres.run("vacuum analyze");
  await postgres.run("checkpoint");
  const clusterBytes = Number(await postgres.ask("select sum(pg_database_size(oid)) from pg_database"));

  const { recipient } = await newIdentity();
  const policies = join(folder, "policies");
  mkdirSync(policies);
  mkdirSync(join(folder, "store"));
  writeFileSync(
    join(policies, "all.yaml"),
    postgresqlPolicy({ port: postgres.port, store: join(folder, "store"), recipient }),
  );
  const repository = join(folder, "pgbackrest");
  const config = join(folder, "pgbackrest.conf");
  writeFileSync(
    config,
    pgBackRestText(repository, postgres.dataDirectory, postgres.port, postgres.socketDirectory),
  );
  execFileSync("install", [
    "-d",
    "-o",
    "postgres",
    "-g",
    "postgres",
    repository,
    join(folder, "pgbackrest-log"),
    join(folder, "pgbackrest-lock"),
  ]);
  const pgBackRest = (...rest: string[]) => [
    "runuser",
    "-u",
    "postgres",
    "--",
    "pgbackrest",
    `--config=${config}`,
    "--stanza=bench",
    ...rest,
  ];
  execFileSync("runuser", pgBackRest("stanza-create").slice(1), { stdio: ["ignore", "ignore", "inherit"] });

  const pipe = [
    `${join(postgres.binDirectory, "pg_basebackup")} -h 127.0.0.1 -p ${port} -U postgres -D - -Ft -X fetch --checkpoint=fast --manifest-checksums=SHA256`,
    "zstd -3 --single-thread -c",
    "openssl enc -aes-256-ctr -K $(printf '00%.0s' $(seq 32)) -iv $(printf '00%.0s' $(seq 16))",
    "tee >(sha256sum >/dev/null) >/dev/null",
  ].join(" | ");
  const samples: Record<"bare" | "holdfast" | "pgbackrest", Sample[]> = {
    bare: [],
    holdfast: [],
    pgbackrest: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    samples.bare.push(await timed(["bash", "-o", "pipefail", "-c", pipe]));
    samples.holdfast.push(
      await timed([
        process.execPath,
        mainPath,
        "backup",
        "postgresql",
        "--quiet",
        "--policies",
        policies,
        "--state",
        join(folder, "state"),
        "--slot",
        `2026-01-0${round + 1}T00:00:00Z`,
      ]),
    );
    samples.pgbackrest.push(await timed(pgBackRest("--type=full", "backup")));
    console.error(
      `round ${round + 1}: ${JSON.stringify(Object.fromEntries(Object.entries(samples).map(([n, s]) => [n, s.at(-1)])))}`,
    );
  }
  const table = Object.fromEntries(
    Object.entries(samples).map(([name, s]) => [
      name,
      { seconds: median(s, "seconds"), cpuSeconds: median(s, "cpuSeconds"), peakMb: median(s, "peakMb") },
    ]),
  );
  Object.assign(result, {
    what: "full backup, zstd 3, encrypted",
    clusterBytes,
    rounds,
    cores: cpus().length,
    pgBackRestVersion: execFileSync("pgbackrest", ["version"], { encoding: "utf8" }).trim(),
    ...table,
    overBare: ratio(table, "bare"),
    overPgBackRest: ratio(table, "pgbackrest"),
  });
} finally {
  await postgres.remove();
  rmSync(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(result, null, 2));

function ratio(table: Record<string, { seconds: number }>, other: string): number {
  return Math.round(((table["holdfast"]?.seconds ?? 0) / (table[other]?.seconds ?? 1)) * 100) / 100;
}

function pgBackRestText(repository: string, data: string, port: number, socketFolder: string): string {
  return `[global]
repo1-path=${repository}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=bench-bench-bench-bench
repo1-retention-full=9
log-path=${join(folder, "pgbackrest-log")}
lock-path=${join(folder, "pgbackrest-lock")}
log-level-stderr=error
log-level-console=off
log-level-file=off
compress-type=zst
compress-level=3
process-max=1
start-fast=y
archive-check=n
[bench]
pg1-path=${data}
pg1-port=${port}
pg1-user=postgres
pg1-socket-path=${socketFolder}
`;
}
