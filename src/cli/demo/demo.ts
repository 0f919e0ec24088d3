/** The whole promise in one run: a policy in git, three disasters, three restores, and the proof in git. */
import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instant } from "../../catalogue/instant.ts";
import { newIdentity } from "../../crypto/identity.ts";
import { HoldfastError } from "../../errors.ts";
import { openExec } from "../../exec/system.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { restore } from "../../operate/restore.ts";
import { openStateFolder } from "../../operate/state-folder.ts";
import { verify } from "../../operate/verify.ts";
import type { Policy } from "../../policy/model.ts";
import { type DemoResult, demoJson } from "../../report/json.ts";
import { renderDemoTable } from "../../report/tables.ts";
import { columns, complain, openLogger, openSteps, paintFor, print, printJson } from "../console.ts";
import { listenForInterrupts } from "../interrupt.ts";
import { type WiredWorld, wire } from "../wire.ts";
import { pushPolicies } from "./policy-repository.ts";
import { startReconciler } from "./reconciler-process.ts";
import { type Load, type SourceServer, startLoad, startSource } from "./source-server.ts";

export interface DemoOptions {
  readonly format: string;
  readonly keep?: string;
}

const waitMs = 60_000;

interface Stage {
  readonly workdir: string;
  readonly source: SourceServer;
  readonly load: Load;
  readonly world: WiredWorld;
  readonly policy: Policy;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Ends with the report in the remote and one screen of facts. @throws the first thing that is not as promised */
export async function demo(options: DemoOptions): Promise<void> {
  const signal = listenForInterrupts();
  const paint = paintFor(process.stdout);
  const beganAtMs = performance.now();
  const say = (text: string): void => {
    const line = `${paint.dim(`${((performance.now() - beganAtMs) / 1000).toFixed(1).padStart(5)} s`)}  ${text}`;
    if (options.format === "json") complain(line);
    else print(line);
  };
  const workdir = options.keep ?? (await mkdtemp(join(tmpdir(), "holdfast-demo-")));
  await mkdir(workdir, { recursive: true });
  await chmod(workdir, 0o755);
  const remote = join(workdir, "policies.git");
  const clone = join(workdir, "checkout");
  const store = join(workdir, "store");
  await mkdir(store);
  say(`a fresh PostgreSQL, a folder as store, a git remote, all in ${workdir}`);
  const source = await startSource(join(workdir, "server"), signal);
  const load = startLoad(source.connection);
  let reconciler: Awaited<ReturnType<typeof startReconciler>> | undefined;
  let world: WiredWorld | undefined;
  try {
    await source.run(
      "create table orders as select i as id, md5(i::text) as item from generate_series(1, 20000) i",
    );
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    const identityFile = join(workdir, "runner.key");
    await writeFile(identityFile, `${runner.identity}\n`, { mode: 0o600 });
    const places = {
      remote,
      clone,
      store,
      port: source.connection.port,
      runner: runner.recipient,
      escrow: escrow.recipient,
    };
    const commit = await pushPolicies(places);
    say(`PostgreSQL ${source.major} takes a commit every 8 ms; policies pushed as ${commit.slice(0, 12)}`);
    const state = join(workdir, "state");
    reconciler = await startReconciler({ remote, state, identityFile, workdir });
    world = await wire({
      policies: join(clone, "policies"),
      state: join(workdir, "drills"),
      identities: [identityFile],
      log: openLogger("silent"),
      steps: openSteps(true),
      signal,
    });
    const stage: Stage = {
      workdir,
      source,
      load,
      world,
      policy: findPolicy(world, "postgresql"),
      signal,
      say,
    };
    await untilApplied(stage, state, commit);
    await untilCaptured(stage);
    await dropTable(stage);
    const loss = await loseServer(stage);
    await flipByte(stage);
    const proof = await prove(stage);
    const report = await commitReport(stage, { clone, state, identityFile, remote });
    await reconciler.stop();
    const result: DemoResult = {
      ok: true,
      components: [
        {
          policy: "postgresql",
          rpoSeconds: loss.rpoSeconds,
          rtoSeconds: loss.rtoSeconds,
          proof: proof.level,
        },
      ],
      report,
      workdir,
    };
    if (options.format === "json") return printJson(demoJson(result));
    const rows = [
      { policy: "postgresql", point: proof.point, finishedAt: proof.finishedAt, proof: proof.level, ...loss },
    ];
    print("");
    print(renderDemoTable(rows, result, { paint, columns: columns(), nowMs: Date.now() }));
  } finally {
    await load.stop();
    await reconciler?.stop();
    await world?.close();
    await source.stop();
  }
}

async function until<T>(what: string, look: () => Promise<T | undefined>, signal: AbortSignal): Promise<T> {
  const giveUpAtMs = Date.now() + waitMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAtMs)
      throw new HoldfastError(
        "objective-missed",
        `the demo has waited ${waitMs / 1000} s in vain until ${what}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function untilApplied(stage: Stage, state: string, commit: string): Promise<void> {
  const folder = openStateFolder(state);
  const applied = async () => {
    const status = await folder.readStatus();
    return status?.revision === commit && status.lastAppliedAt !== undefined ? status : undefined;
  };
  await until("the reconciler has applied the commit", applied, stage.signal);
  stage.say("the reconciler has picked the commit up and applied it");
}

async function untilCaptured(stage: Stage): Promise<void> {
  const repository = await stage.world.repository(stage.policy);
  const first = async () => (await repository.catalogue()).points[0];
  const point = await until("the first base backup is there", first, stage.signal);
  stage.say(
    `base backup ${point.manifest.id}, ${point.manifest.filesCount} files; WAL streams into the store`,
  );
}

/** Everything committed up to now is in the store when its canary is. */
async function untilStored(stage: Stage, atMs: number): Promise<void> {
  const { world, policy } = stage;
  const { logReachMs } = await import("../../operate/log-position.ts");
  const repository = await world.repository(policy);
  const look = async () => {
    const reachMs = await logReachMs(world, policy, repository, await repository.catalogue());
    return reachMs !== undefined && reachMs > atMs ? reachMs : undefined;
  };
  await until("the WAL of that instant is in the store", look, stage.signal);
}

async function dropTable(stage: Stage): Promise<void> {
  const { source, say, world, policy } = stage;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await source.run("insert into orders select i, 'the last order' from generate_series(20001, 20042) i");
  const rows = await source.ask("select count(*) from orders");
  const at = instant(
    Number(await source.ask("select floor(extract(epoch from clock_timestamp()) * 1000) + 1")),
  );
  await new Promise((resolve) => setTimeout(resolve, 300));
  await source.run("drop table orders");
  say(`DISASTER 1: table orders with ${rows} rows is dropped just after ${at}`);
  await untilStored(stage, Date.parse(at) + 300);
  const outcome = await restore(world, policy, {
    target: { kind: "time", at },
    directory: join(stage.workdir, "restored-before-the-drop"),
    start: true,
  });
  const found = String(await outcome.server?.ask("select count(*)::int from orders", "postgres"));
  await outcome.server?.stop();
  requireThat(found === rows, `the restored table has ${found} rows and not ${rows}`);
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  say(
    `  restored to just before it in ${(outcome.durationMs / 1000).toFixed(1)} s: ${found} of ${rows} rows are back`,
  );
}

async function loseServer(
  stage: Stage,
): Promise<{ readonly rpoSeconds: number; readonly rtoSeconds: number }> {
  const { source, load, say, world, policy } = stage;
  await source.destroy();
  const killedAtMs = Date.now();
  const { count, lastAtMs } = load.acknowledged;
  requireThat(count > 0, "the load has written nothing");
  say(
    `DISASTER 2: the server is killed and its disk thrown away at ${instant(killedAtMs)}, after ${count} commits`,
  );
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const decidedAtMs = Date.now();
  const outcome = await restore(world, policy, {
    target: { kind: "latest" },
    directory: join(stage.workdir, "restored-after-the-loss"),
    start: true,
  });
  const last = Number(
    await outcome.server?.ask("select extract(epoch from max(at)) * 1000 from payments", "postgres"),
  );
  const survived = Number(await outcome.server?.ask("select count(*)::int from payments", "postgres"));
  const highest = Number(await outcome.server?.ask("select max(id)::int from payments", "postgres"));
  await outcome.server?.stop();
  const rtoSeconds = (Date.now() - decidedAtMs) / 1000;
  requireThat(
    survived === highest && survived > 0,
    `${survived} commits survive but the last one is number ${highest}`,
  );
  const rpoSeconds = Math.max(0, Math.round(lastAtMs - last) / 1000);
  requireThat(rpoSeconds * 1000 <= policy.objectives.rpoMs, `${rpoSeconds} s are lost`);
  say(
    `  restored in ${rtoSeconds.toFixed(1)} s: the last commit that survives is number ${highest} of ${count}, ${rpoSeconds.toFixed(2)} s behind the end`,
  );
  return { rpoSeconds, rtoSeconds };
}

async function flipByte(stage: Stage): Promise<void> {
  const { world, policy, say } = stage;
  const repository = await world.repository(policy);
  const object = (await repository.catalogue()).points[0]?.manifest.artifacts[0]?.objects[0];
  if (object === undefined) throw new HoldfastError("object-missing", "the point has no object");
  const path = join(stage.workdir, "store", object.key);
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  const flip = async (): Promise<void> => {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  };
  await flip();
  say(`DISASTER 3: one bit of one byte of ${object.key} is flipped`);
  const { ok, verdict } = await verify(world, policy, { level: 2 });
  const named = verdict.checks.find((c) => !c.ok)?.detail ?? "";
  requireThat(!ok && named.includes(object.key), "the damage was not found");
  say(`  verification names it: ${named}`);
  await flip();
}

interface Proof {
  readonly level: number;
  readonly point: string;
  readonly finishedAt: string;
}

async function prove(stage: Stage): Promise<Proof> {
  const { world, policy, say } = stage;
  const { ok, verdict, point } = await verify(world, policy, { level: 5 });
  const failed = verdict.checks.find((c) => !c.ok);
  requireThat(ok, `the proof failed: ${failed?.name}: ${failed?.detail}`);
  const { targetAt, rpoSeconds } = verdict.measured;
  say(
    `proof, level 5: restored to ${targetAt}, an instant the commit has chosen; last canary ${rpoSeconds?.toFixed(2)} s before it`,
  );
  const manifest = (await (await world.repository(policy)).catalogue()).points.find(
    (p) => p.manifest.id === point,
  )?.manifest;
  return { level: verdict.level, point, finishedAt: manifest?.finishedAt ?? "" };
}

async function commitReport(
  stage: Stage,
  places: {
    readonly clone: string;
    readonly state: string;
    readonly identityFile: string;
    readonly remote: string;
  },
): Promise<string> {
  const { runHoldfast } = await import("./reconciler-process.ts");
  const text = await runHoldfast([
    "report",
    "--commit",
    "--format",
    "json",
    "--quiet",
    "--policies",
    join(places.clone, "policies"),
    "--state",
    places.state,
    "--identity",
    places.identityFile,
  ]);
  const { report, commit } = JSON.parse(text) as { report: string; commit: string };
  const exec = openExec();
  const { stdout } = await exec.run({
    argv: ["git", "-C", places.remote, "show", "--stat", "--format=%h %s", commit],
  });
  requireThat(stdout.includes("reports/"), "the report is not in the remote");
  await exec.run(
    { argv: ["git", "-C", places.clone, "pull", "--quiet", places.remote, "main"] },
    { deadlineMs: 30_000 },
  );
  stage.say(`the report is in the remote: ${stdout.split("\n")[0]}`);
  return report;
}

function requireThat(isTrue: boolean, message: string): void {
  if (!isTrue)
    throw new HoldfastError("verification-failed", `the demo did not keep its promise: ${message}`);
}
