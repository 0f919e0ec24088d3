/**
 * Names a process so that another one on the same machine can say whether it is gone: boot, process-number
 * namespace, number and start. On another machine, or in another container, nobody can say, and `false` is
 * the answer. @see proc(5)
 */
import { readFile, readlink } from "node:fs/promises";
import { processStart } from "./process-start.ts";

async function place(): Promise<string> {
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  return `${boot} ${await readlink("/proc/self/ns/pid")}`;
}

/** This process; empty where `/proc` does not say. */
export async function processMark(): Promise<string> {
  try {
    return `${await place()} ${process.pid} ${(await processStart(process.pid)) ?? ""}`;
  } catch {
    return "";
  }
}

/** True only when the marked process ran here and is not there any more. */
export async function isProcessGone(mark: unknown): Promise<boolean> {
  if (typeof mark !== "string" || mark === "") return false;
  try {
    const here = await place();
    const [pid = "", start = ""] = mark.startsWith(`${here} `) ? mark.slice(here.length + 1).split(" ") : [];
    if (!/^\d+$/.test(pid) || start === "") return false;
    return (await processStart(Number(pid))) !== start;
  } catch {
    return false;
  }
}
