/**
 * Programs that live at another time, by libfaketime: what is a day old can be made in a second, by the real
 * program with its real data. Timers run as always.
 * @see https://github.com/wolfcw/libfaketime
 */
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { whereIs } from "./on-path.ts";

/** What the loader puts before each program, or undefined where libfaketime is not installed. */
export function fakedTime(): string | undefined {
  if (whereIs("faketime") === undefined) return undefined;
  return execFileSync("faketime", ["-f", "+0", "printenv", "LD_PRELOAD"], { encoding: "utf8" }).trim();
}

function environment(): Record<string, string> {
  return { LD_PRELOAD: fakedTime() ?? "", FAKETIME_DONT_FAKE_MONOTONIC: "1", NO_FAKE_STAT: "1" };
}

/** Environment of a program whose clock is `seconds` behind. */
export function setBack(seconds: number): Readonly<Record<string, string>> {
  return { ...environment(), FAKETIME: `-${seconds}` };
}

export interface ProgramWithClock {
  /** Full path of a script that runs `program` with the clock. */
  readonly path: string;
  /** How far its clock is behind, from the next look at it on. */
  setBack(seconds: number): void;
}

/** A program whose clock can be moved while it runs; `folder` must be one its user may enter. */
export function programWithClock(program: string, folder: string): ProgramWithClock {
  const file = join(folder, "clock");
  const path = join(folder, "run-with-clock");
  const variables = { ...environment(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" };
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'`);
  writeFileSync(path, `#!/bin/sh\n${exports.join("\n")}\nexec ${program} "$@"\n`);
  chmodSync(path, 0o755);
  const setBackBy = (seconds: number): void => writeFileSync(file, `-${seconds}\n`);
  setBackBy(0);
  return { path, setBack: setBackBy };
}
