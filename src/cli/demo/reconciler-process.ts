/** Holdfast's own verbs as processes, for the demo: the reconciler runs beside it as it would in earnest. */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../../errors.ts";

const mainPath = fileURLToPath(new URL("../holdfast.mjs", import.meta.url));
const stopMs = 30_000;

export async function startReconciler(places: {
  readonly remote: string;
  readonly state: string;
  readonly identityFile: string;
  readonly workdir: string;
}): Promise<{ stop(): Promise<void> }> {
  const log = openSync(join(places.workdir, "reconciler.log"), "a");
  const argv = [
    mainPath,
    "run",
    "--repository",
    places.remote,
    "--state",
    places.state,
    "--identity",
    places.identityFile,
    "--listen",
    "none",
  ];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", log, log] });
  return { stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await ended;
  clearTimeout(timer);
}

/** Standard output of one verb. @throws verification-failed with what it said when it ends badly */
export async function runHoldfast(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [mainPath, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
  });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (status === 0) return out;
  throw new HoldfastError("verification-failed", `holdfast ${args[0]} ended with ${status}: ${err.trim()}`);
}
