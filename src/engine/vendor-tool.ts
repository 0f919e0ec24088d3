/** A vendor's programs: in the policy's own folder first, then where they usually are. */
import { join } from "node:path";
import { HoldfastError } from "../errors.ts";
import type { Policy } from "../policy/model.ts";
import type { Drift } from "../state/job.ts";
import type { EngineContext, ProgramNeed } from "./engine.ts";

export interface ToolSearch {
  /** Folders that are looked into after PATH. */
  readonly places?: readonly string[];
  /** How one gets it. */
  readonly hint: string;
}

/** Full path. @throws tool-missing */
export async function findTool(
  { exec, policy }: EngineContext,
  name: string,
  { places = [], hint }: ToolSearch,
): Promise<string> {
  const [folder] = ownFolder(policy);
  const own = folder === undefined ? undefined : await exec.find(join(folder, name));
  const found = own ?? (await exec.find(name, places));
  if (found !== undefined) return found;
  throw new HoldfastError("tool-missing", `'${name}' is not on this machine`, { hint });
}

/** The policy's `capture.options.toolDirectory`, or none. */
export function ownFolder(policy: Policy): readonly string[] {
  const folder = policy.capture.options["toolDirectory"];
  return typeof folder === "string" ? [folder] : [];
}

/** What the doctor asks for, looked for where {@link findTool} looks. */
export function needsIn(
  policy: Policy,
  places: readonly string[],
): (name: string, without: string, install: string) => ProgramNeed {
  const all = [...ownFolder(policy), ...places];
  return (name, without, install) => ({ name, places: all, without, install });
}

export interface ToolsFound {
  /** By name, its version. */
  readonly tools: Readonly<Record<string, string>>;
  readonly missing: readonly Drift[];
}

/** Asks each for its version; one that is not there or too old becomes a drift. */
export async function askTools<Name extends string>(
  names: readonly Name[],
  version: (name: Name) => Promise<string>,
  without: (name: Name) => Pick<Drift, "wanted" | "consequence" | "severity">,
): Promise<ToolsFound> {
  const tools: Record<string, string> = {};
  const missing: Drift[] = [];
  for (const name of names) {
    try {
      tools[name] = await version(name);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const found = error.code === "tool-missing" ? "none" : error.message;
      missing.push({ setting: name, found, mend: error.hint, mendable: false, ...without(name) });
    }
  }
  return { tools, missing };
}
