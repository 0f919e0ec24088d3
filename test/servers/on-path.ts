/** Programs of this machine that tests use where they are there. */
import { execFileSync } from "node:child_process";

/** Full path of the program, or undefined where PATH has none. */
export function whereIs(program: string): string | undefined {
  try {
    return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}
