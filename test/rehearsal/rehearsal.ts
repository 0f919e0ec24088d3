/**
 * `npm run rehearsal`: every component whose server this machine can have is captured, lost, restored, captured
 * again and proved, points are pruned, and the report of it becomes `reports/` of this repository. Nothing of
 * the report is written here: it is what `holdfast report` has committed to the rehearsal's own repository.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DemoComponent } from "../../src/cli/demo/component.ts";
import { prove } from "../../src/cli/demo/component.ts";
import { type Absent, type BeforeReport, runDemo } from "../../src/cli/demo/demo.ts";
import { runHoldfast } from "../../src/cli/demo/reconciler-process.ts";
import { redisInDemo } from "../../src/cli/demo/redis.ts";
import { s3InDemo } from "../../src/cli/demo/s3.ts";
import { secretsInDemo } from "../../src/cli/demo/secrets.ts";
import { freePort } from "../../src/cli/demo/source-server.ts";
import { requireThat } from "../../src/cli/demo/stage.ts";
import { HoldfastError } from "../../src/errors.ts";
import { backup } from "../../src/operate/backup.ts";
import { findPolicy } from "../../src/operate/find-policy.ts";
import { verifyAll } from "../../src/operate/verify-all.ts";
import { clickhouseInRehearsal, dayAfter } from "./clickhouse.ts";
import { leaksIn } from "./leaks.ts";
import { mongodbInRehearsal } from "./mongodb.ts";

const root = join(import.meta.dirname, "../..");
const folder = process.env["HOLDFAST_REHEARSAL_FOLDER"] ?? "/srv/holdfast-rehearsal";
/** A restore has to name it, so it is one that could be anybody's. */
const store = process.env["HOLDFAST_REHEARSAL_STORE"] ?? "/srv/backups";
const reports = join(root, "reports");
const roundsOfRedis = 3;
/** The reconciler runs beside it and may hold the lock; a MongoDB that was just put back has a short oplog. */
const passing = new Set<string>(["locked", "wal-gap"]);
const mostTries = 30;
/** Why a component has one point only; the report says it. */
const notAgain: string[] = [];

/** Marked points go after a second and not after days, so that the report shows points that were pruned. */
const redisThatPrunes: DemoComponent = {
  ...redisInDemo,
  start: async (...args) => {
    const server = await redisInDemo.start(...args);
    const waiver = `\n  waivers: [{rule: prune/grace-short, reason: a rehearsal shows a removal, owner: rehearsal, until: "${dayAfter(7)}"}]`;
    const policy = server.policy
      .replace("metadata: {name: redis}", `metadata:\n  name: redis${waiver}`)
      .replace("retention: standard", "retention: standard\n  prune: {grace: 1s}");
    return { ...server, policy };
  },
};

function remarks(servers: readonly string[], absent: readonly Absent[]): readonly string[] {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const commit = execFileSync("git", ["-C", root, "rev-parse", "--short=12", "HEAD"], { encoding: "utf8" });
  const missing = absent.filter(({ component }) => component !== "kubernetes");
  return [
    `A full rehearsal on ${new Date().toISOString().slice(0, 10)}: npm run rehearsal of Holdfast ${version} at commit ${commit.trim()}, on Node ${process.versions.node}. Each component ran on a server of its own that was lost or damaged, was restored, put back, captured again where nothing below says otherwise, and proved. The policy repository whose revision stands above was the rehearsal's own and is gone with it.`,
    `What ran: ${servers.join(", ")}. All on one machine: the times say little of yours.`,
    ...(servers.some((s) => s.startsWith("FerretDB"))
      ? [
          "In the place of MongoDB's server stands FerretDB, which calls itself 7.0.42, and stand-ins of this project for mongodump and mongorestore.",
        ]
      : []),
    ...(servers.some((s) => s.includes("chdb"))
      ? [
          "In the place of ClickHouse's server stands its engine as a library behind an HTTP interface of the tests.",
        ]
      : []),
    ...notAgain,
    "Not rehearsed: Kubernetes through Velero; its own tests run it on a real cluster.",
    ...missing.map(
      ({ component, line }) => `Not rehearsed: ${component}, because its server was not there: ${line}.`,
    ),
  ];
}

/** A second point of everything, proved; three more of Redis, of which the keep table lets all but one go. */
async function captureAgain({ stage, policies, verb }: BeforeReport): Promise<void> {
  const captured = async (name: string): Promise<string> => {
    const world = name === "secrets" ? stage.escrow : stage.world;
    for (let tries = 0; ; tries += 1) {
      try {
        return (await backup(world, findPolicy(world, name), {})).point;
      } catch (error) {
        const passes = error instanceof HoldfastError && passing.has(error.code) && tries < mostTries;
        if (!passes) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  };
  for (const name of policies) {
    const point = await captured(name).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== "wal-gap") throw error;
      notAgain.push(`${name} was not captured again after it was put back: ${error.message}.`);
      return undefined;
    });
    if (point === undefined) continue;
    stage.say(`captured again: ${name} ${point}`);
    await prove(stage, name === "secrets" ? stage.escrow : stage.world, name, point);
  }
  if (!policies.includes("redis")) return;
  for (let round = 0; round < roundsOfRedis; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await prove(stage, stage.world, "redis", await captured("redis"));
  }
  await verb(["prune", "redis", "--apply"]);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await verb(["prune", "redis", "--apply"]);
  stage.say("pruned: points of Redis that the keep table lets go were marked, and removed after their grace");
  // The point that proved the whole stack before may be among them.
  const { ok, verdicts } = await verifyAll(stage.escrow, {});
  requireThat(ok, "the whole stack is not proved after the disasters");
  stage.say(`proof, level 6, once more: ${verdicts[0]?.checks.at(-1)?.detail}`);
}

async function main(): Promise<void> {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Error(`${folder} is not empty; name another one with HOLDFAST_REHEARSAL_FOLDER`);
  if (existsSync(store))
    throw new Error(`${store} is there already; name another one with HOLDFAST_REHEARSAL_STORE`);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  process.env["TMPDIR"] = folder;
  try {
    const { result } = await runDemo(
      { format: "text", keep: join(folder, "work") },
      {
        components: [
          secretsInDemo,
          mongodbInRehearsal,
          redisThatPrunes,
          clickhouseInRehearsal(store),
          s3InDemo,
        ],
        // A message that names a server names it where its kind usually is.
        choosePort: freePort,
        store,
        beforeReport: captureAgain,
        remarks,
      },
    );
    const written = join(result.workdir, "checkout", "reports");
    const faults = readdirSync(written, { recursive: true, encoding: "utf8" })
      .filter((path) => /\.\w+$/.test(path))
      .flatMap((path) =>
        leaksIn(readFileSync(join(written, path), "utf8"), folder).map((leak) => `${path}: ${leak}`),
      );
    if (faults.length > 0)
      throw new Error(`the report says too much of this machine:\n${faults.slice(0, 40).join("\n")}`);
    rmSync(reports, { recursive: true, force: true });
    cpSync(written, reports, { recursive: true });
    process.stdout.write(await runHoldfast(["report", "--verify", "--out", reports]));
    process.stdout.write(`reports/ holds it now: ${result.report}\n`);
  } finally {
    if (process.env["HOLDFAST_REHEARSAL_KEEP"] === undefined)
      for (const path of [folder, store]) rmSync(path, { recursive: true, force: true });
  }
}

await main();
