/** Finds the vendor's programs: those of the server's own major version where they are installed. */

import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";

const knownMajors = [18, 17, 16, 15, 14] as const;

/** Where Debian, the PostgreSQL project's packages and common images put them. */
function places(major: number | undefined): readonly string[] {
  const majors = major === undefined ? knownMajors : [major];
  return majors.flatMap((m) => [
    `/usr/lib/postgresql/${m}/bin`,
    `/usr/pgsql-${m}/bin`,
    `/opt/postgresql/${m}/bin`,
  ]);
}

export interface Programs {
  /** Full path. @throws tool-missing */
  path(program: string): Promise<string>;
}

/** Programs of `major`, looked for in the policy's `toolDirectory` first and in PATH last. */
export function programsOf(context: EngineContext, major: number | undefined): Programs {
  const options = context.policy.capture.options;
  const own = typeof options["toolDirectory"] === "string" ? [options["toolDirectory"]] : [];
  const folders = [...own, ...places(major)];
  return {
    path: async (program) => {
      for (const folder of folders) {
        const found = await context.exec.find(`${folder}/${program}`);
        if (found !== undefined) return found;
      }
      const inPath = await context.exec.find(program);
      if (inPath !== undefined) return inPath;
      const version = major === undefined ? "" : ` of PostgreSQL ${major}`;
      throw new HoldfastError("tool-missing", `'${program}'${version} is not on this machine`, {
        hint: `install postgresql${major === undefined ? "" : `-${major}`}, or name its folder in capture.options.toolDirectory`,
      });
    },
  };
}

/** `pg_basebackup (PostgreSQL) 15.10 (Debian …)` → `15.10`. @throws tool-failed, tool-missing */
export async function programVersion(context: EngineContext, path: string): Promise<string> {
  const { stdout } = await context.exec.run({ argv: [path, "--version"] }, { deadlineMs: 10_000 });
  return /\)\s+(\d+(?:\.\d+)?)/.exec(stdout)?.[1] ?? stdout.trim();
}

/** User that runs servers and the tools that refuse root; undefined when we are not root. */
export const serverUser = process.getuid?.() === 0 ? "postgres" : undefined;
