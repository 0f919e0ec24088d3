/**
 * A component the demo can show besides PostgreSQL: a real server of its own, a disaster of its own, and what
 * came back counted and proved. One file each, and one line in `components.ts`.
 */
import { join } from "node:path";
import type { ComponentKind } from "../../component.ts";
import type { RunningServer } from "../../engine/engine.ts";
import type { Exec } from "../../exec/exec.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { restore } from "../../operate/restore.ts";
import { verify } from "../../operate/verify.ts";
import type { WiredWorld } from "../wire.ts";
import type { ChoosePort } from "./source-server.ts";
import { requireThat, type Shown, type Stage, untilCaptured } from "./stage.ts";

export interface DemoComponent {
  readonly component: ComponentKind;
  /** The command line that brings what is missing here; undefined where its server can be had. */
  missing(exec: Exec): Promise<string | undefined>;
  /** A fresh server with data in it. `folder` is its own, and not there yet. */
  start(folder: string, signal: AbortSignal, choosePort: ChoosePort): Promise<DemoServer>;
}

export interface DemoServer {
  /** Such as `Redis 7.0.15`. */
  readonly title: string;
  /** The policy's whole YAML document, and more documents where it needs them; retention `standard`. */
  readonly policy: string;
  /** What is counted, such as `keys`. */
  readonly unit: string;
  /** In the source. */
  count(): Promise<number>;
  /** The disaster, the restore and the proof. `name` is the policy's. @throws the first thing not as promised */
  show(stage: Stage, name: string): Promise<Shown>;
  stop(): Promise<void>;
}

/** A server that is lost with its disk. */
export interface Lost {
  readonly title: string;
  readonly unit: string;
  count(): Promise<number>;
  /** In a server that was started on what came back. */
  countIn(server: RunningServer): Promise<number>;
  /** `kill -9`, and its disk is gone. */
  destroy(): Promise<void>;
  /** Runs on what lies in `directory`, where the lost one was. */
  replace(directory: string): Promise<void>;
}

/** Loses the server, restores it elsewhere, counts, and puts the restored one into its place. */
export async function loseServer(stage: Stage, name: string, server: Lost): Promise<Shown> {
  const { world, say } = stage;
  const policy = findPolicy(world, name);
  const { manifest } = await untilCaptured(stage, policy);
  const before = await server.count();
  await server.destroy();
  const lostAtMs = Date.now();
  say(`DISASTER: ${server.title} with ${before} ${server.unit} is killed and its disk thrown away`);
  const directory = join(stage.workdir, `restored-${name}`);
  const outcome = await restore(world, policy, { target: { kind: "latest" }, directory, start: true });
  const rtoSeconds = (Date.now() - lostAtMs) / 1000;
  const after = outcome.server === undefined ? -1 : await server.countIn(outcome.server);
  await outcome.server?.stop();
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  requireThat(after === before, `${name}: ${after} of ${before} ${server.unit} are back`);
  await server.replace(outcome.directory);
  say(
    `  restored in ${rtoSeconds.toFixed(1)} s: ${after} of ${before} ${server.unit} are back, and it runs again where it was`,
  );
  const proof = await prove(stage, world, name, manifest.id);
  const rpoSeconds = Math.max(0, lostAtMs - Date.parse(manifest.consistentAt)) / 1000;
  return { policy: name, point: manifest.id, finishedAt: manifest.finishedAt, proof, rpoSeconds, rtoSeconds };
}

/** The level reached for the point, which is the highest of the checklist. @throws verification-failed */
export async function prove(stage: Stage, world: WiredWorld, name: string, point: string): Promise<number> {
  const { ok, verdict } = await verify(world, findPolicy(world, name), { level: 5, point });
  requireThat(ok, `${name}: ${verdict.checks.find((c) => !c.ok)?.detail ?? "the proof failed"}`);
  const { rtoSeconds } = verdict.measured;
  stage.say(
    `proof, level ${verdict.level}: ${name} ${point} restored into a throwaway place and asked in ${rtoSeconds?.toFixed(1)} s`,
  );
  return verdict.level;
}
