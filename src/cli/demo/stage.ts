/** What every act of the demo shares: the world, a voice, patience, and a promise that is kept or not. */
import { type ChildProcess, spawn } from "node:child_process";
import type { RecoveryPoint } from "../../catalogue/catalogue.ts";
import { HoldfastError } from "../../errors.ts";
import type { Policy } from "../../policy/model.ts";
import type { WiredWorld } from "../wire.ts";

const waitMs = 60_000;

export interface Stage {
  readonly workdir: string;
  readonly world: WiredWorld;
  /** As a machine that holds the escrowed key and no other. */
  readonly escrow: WiredWorld;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** What one component has shown. */
export interface Shown {
  readonly policy: string;
  readonly point: string;
  readonly finishedAt: string;
  readonly proof: number;
  readonly rpoSeconds: number;
  readonly rtoSeconds: number;
}

/** @throws objective-missed after a minute, or when `signal` aborts */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
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

/** @throws verification-failed */
export function requireThat(isTrue: boolean, message: string): void {
  if (!isTrue)
    throw new HoldfastError("verification-failed", `the demo did not keep its promise: ${message}`);
}

/** The first point the reconciler has taken for `policy`. */
export async function untilCaptured(stage: Stage, policy: Policy): Promise<RecoveryPoint> {
  const repository = await stage.world.repository(policy);
  const first = async () => (await repository.catalogue()).points[0];
  return until(`the first capture of ${policy.name} is there`, first, stage.signal);
}

/** A server of the demo; it ends with the demo at the latest, also when that is interrupted half-way. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  const child = spawn(program, args, { stdio: "ignore", env });
  const last = () => child.kill("SIGKILL");
  process.once("exit", last);
  child.once("exit", () => process.removeListener("exit", last));
  return child;
}

/** After it the process is gone. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await exit;
}
