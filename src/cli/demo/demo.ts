/** The whole promise in one run: policies in git, disasters, restores, and the proof in git. */
import { chmod, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { componentKinds } from "../../component.ts";
import { newIdentity } from "../../crypto/identity.ts";
import { builtKinds } from "../../engine/engines.ts";
import { HoldfastError } from "../../errors.ts";
import { openExec } from "../../exec/system.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { openStateFolder } from "../../operate/state-folder.ts";
import { verifyAll } from "../../operate/verify-all.ts";
import { type DemoResult, demoJson } from "../../report/json.ts";
import { renderDemoTable } from "../../report/tables.ts";
import { columns, complain, openLogger, openSteps, paintFor, print, printJson } from "../console.ts";
import { listenForInterrupts } from "../interrupt.ts";
import { type WiredWorld, wire } from "../wire.ts";
import type { DemoComponent, DemoServer } from "./component.ts";
import { demoComponents } from "./components.ts";
import { pushPolicies } from "./policy-repository.ts";
import { showDatabase } from "./postgresql.ts";
import { runHoldfast, startReconciler } from "./reconciler-process.ts";
import { type ChoosePort, freePort, startLoad, startSource } from "./source-server.ts";
import { requireThat, type Shown, type Stage, until, untilCaptured } from "./stage.ts";

export interface DemoOptions {
  readonly format: string;
  readonly keep?: string;
}

/** What is shown besides PostgreSQL, and what comes between the last act and the report. */
export interface DemoActs {
  readonly components: readonly DemoComponent[];
  readonly choosePort: ChoosePort;
  /** A new folder for the backups; one in the working folder when not given. */
  readonly store?: string;
  readonly beforeReport?: (run: BeforeReport) => Promise<void>;
  /** Lines the report carries on top. `servers` are what ran, such as `Redis 7.0.15`. */
  readonly remarks?: (servers: readonly string[], absent: readonly Absent[]) => readonly string[];
}

export interface BeforeReport {
  readonly stage: Stage;
  /** Names of the policies, PostgreSQL's first. */
  readonly policies: readonly string[];
  /** One verb of Holdfast in the reconciler's own state; its standard output. */
  readonly verb: (args: readonly string[]) => Promise<string>;
}

export interface DemoRun {
  readonly shown: readonly Shown[];
  readonly result: DemoResult;
}

/** Ends with the report in the remote and one screen of facts. @throws the first thing that is not as promised */
export async function demo(options: DemoOptions): Promise<void> {
  const { shown, result } = await runDemo(options, {
    components: demoComponents,
    choosePort: () => freePort(),
  });
  if (options.format === "json") return printJson(demoJson(result));
  print("");
  const paint = paintFor(process.stdout);
  print(renderDemoTable(shown, result, { paint, columns: columns(), nowMs: Date.now() }));
}

/** The report is in the remote and no server runs any more. @throws the first thing that is not as promised */
export async function runDemo(options: DemoOptions, acts: DemoActs): Promise<DemoRun> {
  const signal = listenForInterrupts();
  const paint = paintFor(process.stdout);
  const beganAtMs = performance.now();
  const say = (text: string): void => {
    const line = `${paint.dim(`${((performance.now() - beganAtMs) / 1000).toFixed(1).padStart(5)} s`)}  ${text}`;
    if (options.format === "json") complain(line);
    else print(line);
  };
  const workdir = await freshFolder(options.keep);
  const remote = join(workdir, "policies.git");
  const clone = join(workdir, "checkout");
  const store = acts.store ?? join(workdir, "store");
  const state = join(workdir, "state");
  await mkdir(store);
  say(`a fresh PostgreSQL, a folder as store, a git remote, all in ${workdir}`);
  const source = await startSource(join(workdir, "server"), signal, acts.choosePort);
  const load = startLoad(source.connection);
  const others = new Map<string, DemoServer>();
  let reconciler: Awaited<ReturnType<typeof startReconciler>> | undefined;
  const worlds: WiredWorld[] = [];
  try {
    await source.run(
      "create table orders as select i as id, md5(i::text) as item from generate_series(1, 20000) i",
    );
    const absent = await startOthers(acts, others, workdir, signal);
    for (const server of others.values()) say(`${server.title} with ${await server.count()} ${server.unit}`);
    const [runner, escrow] = [await newIdentity(), await newIdentity()];
    const identityFile = join(workdir, "runner.key");
    await writeFile(identityFile, `${runner.identity}\n`, { mode: 0o600 });
    const escrowFile = join(workdir, "escrow.key");
    await writeFile(escrowFile, `${escrow.identity}\n`, { mode: 0o600 });
    const commit = await pushPolicies({
      remote,
      clone,
      store,
      port: source.connection.port,
      runner: runner.recipient,
      escrow: escrow.recipient,
      others: new Map([...others].map(([name, { policy }]) => [name, policy])),
    });
    say(`PostgreSQL ${source.major} takes a commit every 8 ms; policies pushed as ${commit.slice(0, 12)}`);
    reconciler = await startReconciler({ remote, state, identityFile, workdir });
    const open = (state: string, identity: string) =>
      wire({
        policies: join(clone, "policies"),
        state: join(workdir, state),
        identities: [identity],
        log: openLogger("silent"),
        steps: openSteps(true),
        signal,
      });
    const world = await open("drills", identityFile);
    worlds.push(world);
    const withEscrow = await open("escrow-drills", escrowFile);
    worlds.push(withEscrow);
    const stage: Stage = { workdir, world, escrow: withEscrow, signal, say };
    await untilApplied(stage, state, commit);
    const policy = findPolicy(world, "postgresql");
    const shown: Shown[] = [await showDatabase({ ...stage, source, load, policy })];
    for (const name of others.keys()) await untilCaptured(stage, findPolicy(world, name));
    // Before the other disasters: at an instant inside one of them there would be nothing to find.
    const proof = await proveStack(stage);
    for (const [name, server] of others) shown.push(await server.show(stage, name));
    const notShown = [...absent, ...withoutAct(shown, absent)];
    const verb = (args: readonly string[]) =>
      runHoldfast([
        ...args,
        "--quiet",
        ...["--policies", join(clone, "policies"), "--state", state, "--identity", identityFile],
      ]);
    await acts.beforeReport?.({ stage, policies: shown.map(({ policy }) => policy), verb });
    const servers = [`PostgreSQL ${source.version}`, ...[...others.values()].map(({ title }) => title)];
    const remarks = acts.remarks?.(servers, notShown) ?? [];
    const report = await commitReport(stage, { clone, remote, verb, remarks });
    await reconciler.stop();
    for (const { component, line } of notShown) say(`not shown: ${component}; ${line}`);
    const proved = shown.map((facts) => ({ ...facts, proof }));
    const components = proved.map(({ policy, rpoSeconds, rtoSeconds }) => ({
      policy,
      rpoSeconds,
      rtoSeconds,
      proof,
    }));
    return { shown: proved, result: { ok: true, components, notShown, report, workdir } };
  } finally {
    await load.stop();
    await reconciler?.stop();
    for (const world of worlds) await world.close();
    await source.stop();
    for (const server of others.values()) await server.stop();
  }
}

/** @throws target-not-empty */
async function freshFolder(wanted: string | undefined): Promise<string> {
  const folder = wanted === undefined ? await mkdtemp(join(tmpdir(), "holdfast-demo-")) : resolve(wanted);
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new HoldfastError("target-not-empty", `'${folder}' is not empty`, {
      hint: "name a new folder with --keep, or leave it out for a temporary one",
    });
  }
  // The server runs as another user and passes through.
  await chmod(folder, 0o755);
  return folder;
}

export interface Absent {
  readonly component: string;
  /** The command line that brings it, or why there is none. */
  readonly line: string;
}

/** Every component whose server this machine can have is running after it; the others are returned. */
async function startOthers(
  { components, choosePort }: DemoActs,
  started: Map<string, DemoServer>,
  workdir: string,
  signal: AbortSignal,
): Promise<readonly Absent[]> {
  const exec = openExec();
  const absent: Absent[] = [];
  for (const { component, missing, start } of components) {
    const line = await missing(exec);
    if (line === undefined)
      started.set(component, await start(join(workdir, `server-${component}`), signal, choosePort));
    else absent.push({ component, line });
  }
  return absent;
}

/** What the demo has no act for: said, so that nobody takes it for shown. */
function withoutAct(shown: readonly Shown[], absent: readonly Absent[]): readonly Absent[] {
  const named = new Set([...shown.map(({ policy }) => policy), ...absent.map(({ component }) => component)]);
  return componentKinds
    .filter((kind) => !named.has(kind))
    .map((component) => ({
      component,
      line: builtKinds.includes(component) ? "the demo has no act for it yet" : "its engine is not there yet",
    }));
}

/**
 * All of it at one instant, every throwaway server standing at once, with the key of the safe and no other, which
 * puts on record that this key opens every component. @throws verification-failed
 */
async function proveStack({ escrow, say }: Stage): Promise<number> {
  const { ok, verdicts } = await verifyAll(escrow, {});
  const bad = verdicts.flatMap(({ policy, checks }) =>
    checks.filter((c) => !c.ok && c.name !== "whole stack").map((c) => `${policy}: ${c.name}: ${c.detail}`),
  );
  requireThat(ok, bad[0] ?? "the whole stack is not proved");
  const [verdict] = verdicts;
  say(
    `proof, level ${verdict?.level}, the whole stack with the escrowed key alone: ${verdict?.checks.at(-1)?.detail}`,
  );
  return verdict?.level ?? -1;
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

async function commitReport(
  stage: Stage,
  places: {
    readonly clone: string;
    readonly remote: string;
    readonly verb: BeforeReport["verb"];
    readonly remarks: readonly string[];
  },
): Promise<string> {
  const remarks = places.remarks.flatMap((text) => ["--remark", text]);
  const text = await places.verb(["report", "--commit", "--format", "json", ...remarks]);
  const { report, commit, ok } = JSON.parse(text) as { report: string; commit: string; ok: boolean };
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
  const says = (await readFile(join(places.clone, report), "utf8"))
    .split("\n")
    .find((line) => /^(🔴|🟡|⚪)/u.test(line));
  requireThat(ok, `the report is not good: ${says ?? report}`);
  return report;
}
