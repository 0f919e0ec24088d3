/** Finds the vendor's programs: those of the server's own major version where they are installed. */

import { HoldfastError } from "../../errors.ts";
import { installHint } from "../../exec/packages.ts";
import type { Policy } from "../../policy/model.ts";
import type { EngineContext, ProgramNeed } from "../engine.ts";

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
  const folders = foldersFor(context.policy, major);
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

function foldersFor(policy: Policy, major: number | undefined): readonly string[] {
  const own = policy.capture.options["toolDirectory"];
  return [...(typeof own === "string" ? [own] : []), ...places(major)];
}

/** For the doctor. Before the server was asked its major version is unknown, so any serves. */
export function programNeeds(policy: Policy): readonly ProgramNeed[] {
  const need = (name: string, without: string): ProgramNeed => ({
    name,
    places: foldersFor(policy, undefined),
    without,
    install: installHint(name),
  });
  return [
    need("pg_basebackup", "captures"),
    ...(policy.log?.mode === "stream" ? [need("pg_receivewal", "the WAL stream")] : []),
    need("pg_verifybackup", "restores"),
    need("pg_ctl", "drills"),
    need("postgres", "drills"),
    ...(policy.log === undefined ? [] : [need("pg_waldump", "reading how far the WAL reaches")]),
  ];
}

/** `pg_basebackup (PostgreSQL) 15.10 (Debian …)` → `15.10`. @throws tool-failed, tool-missing */
export async function programVersion(context: EngineContext, path: string): Promise<string> {
  const { stdout } = await context.exec.run({ argv: [path, "--version"] }, { deadlineMs: 10_000 });
  return /\)\s+(\d+(?:\.\d+)?)/.exec(stdout)?.[1] ?? stdout.trim();
}

/** User that runs servers and the tools that refuse root; undefined when we are not root. */
export const serverUser = process.getuid?.() === 0 ? "postgres" : undefined;
