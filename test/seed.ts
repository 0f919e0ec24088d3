/**
 * What every choice made at random begins with. Without HOLDFAST_SEED it is the commit's tree: each commit is tried
 * with choices of its own, nobody picks them, and a run of the same commit makes them again.
 */
import { execFileSync } from "node:child_process";

/** A whole number below 2³¹. Print it beside what it decides. */
export const seed = seedFrom(process.env["HOLDFAST_SEED"]);

function seedFrom(given: string | undefined): number {
  if (given === undefined) return ofTree() ?? Date.now() % 2 ** 31;
  if (/^\d{1,10}$/.test(given) && Number(given) < 2 ** 31) return Number(given);
  throw new Error(`HOLDFAST_SEED is '${given}' and not a whole number below 2147483648`);
}

/** Undefined where there is no git, or no repository. */
function ofTree(): number | undefined {
  try {
    const hash = execFileSync("git", ["rev-parse", "HEAD^{tree}"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return Number.parseInt(hash.slice(0, 8), 16) % 2 ** 31;
  } catch {
    return undefined;
  }
}
