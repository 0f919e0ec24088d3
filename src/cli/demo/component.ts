/**
 * A component the demo can show besides PostgreSQL: a real server of its own, thrown away with its disk once
 * the reconciler has captured it, restored, counted and proved. One file each, and one line in `components.ts`.
 */
import { join } from "node:path";
import type { ComponentKind } from "../../component.ts";
import type { RunningServer } from "../../engine/engine.ts";
import type { Exec } from "../../exec/exec.ts";
import { findPolicy } from "../../operate/find-policy.ts";
import { restore } from "../../operate/restore.ts";
import { verify } from "../../operate/verify.ts";
import { requireThat, type Shown, type Stage, untilCaptured } from "./stage.ts";

export interface DemoComponent {
  readonly component: ComponentKind;
  /** The command line that brings what is missing here; undefined where its server can be had. */
  missing(exec: Exec): Promise<string | undefined>;
  /** A fresh server with data in it. `folder` is its own, and not there yet. */
  start(folder: string, signal: AbortSignal): Promise<DemoServer>;
}

export interface DemoServer {
  /** Such as `Redis 7.0.15`. */
  readonly title: string;
  /** The policy's whole YAML document; store `vault`, recipients `runner` and `escrow`, retention `standard`. */
  readonly policy: string;
  /** What is counted, such as `keys`. */
  readonly unit: string;
  /** In the source. */
  count(): Promise<number>;
  /** In a server a drill has started. */
  countIn(server: RunningServer): Promise<number>;
  /** `kill -9`, and its disk is gone. */
  destroy(): Promise<void>;
  stop(): Promise<void>;
}

/** Loses the server, restores it elsewhere, counts, and lets verification prove the point to level 4. */
export async function showComponent(stage: Stage, name: string, server: DemoServer): Promise<Shown> {
  const { world, say } = stage;
  const policy = findPolicy(world, name);
  const { manifest } = await untilCaptured(stage, policy);
  const before = await server.count();
  await server.destroy();
  const killedAtMs = Date.now();
  say(`DISASTER: ${server.title} with ${before} ${server.unit} is killed and its disk thrown away`);
  const outcome = await restore(world, policy, {
    target: { kind: "latest" },
    directory: join(stage.workdir, `restored-${name}`),
    start: true,
  });
  const rtoSeconds = (Date.now() - killedAtMs) / 1000;
  const after = outcome.server === undefined ? -1 : await server.countIn(outcome.server);
  await outcome.server?.stop();
  requireThat(outcome.ok, outcome.checks.find((c) => !c.ok)?.detail ?? "a check failed");
  requireThat(after === before, `${name}: ${after} of ${before} ${server.unit} are back`);
  const { ok, verdict } = await verify(world, policy, { level: 4 });
  requireThat(ok, `${name}: ${verdict.checks.find((c) => !c.ok)?.detail ?? "the proof failed"}`);
  say(
    `  restored in ${rtoSeconds.toFixed(1)} s: ${after} of ${before} ${server.unit} are back; proof, level 4`,
  );
  return {
    policy: name,
    point: manifest.id,
    finishedAt: manifest.finishedAt,
    proof: verdict.level,
    rpoSeconds: Math.max(0, killedAtMs - Date.parse(manifest.consistentAt)) / 1000,
    rtoSeconds,
  };
}
