/** What a child may know of us: a short list of variables, its folder and its user. */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Command } from "../catalogue/artifact.ts";
import { HoldfastError } from "../errors.ts";

const passedOn = [
  ...["PATH", "HOME", "TMPDIR", "USER", "LOGNAME"],
  // Where kubectl finds its cluster: a file, or the pod's own account.
  ...["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"],
];
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const accounts = new Map<string, Account>();

/** Asked synchronously and once per name: a pipe has to be started inside one turn of the event loop. */
function accountOf(name: string): Account {
  const known = accounts.get(name);
  if (known !== undefined) return known;
  if (process.getuid?.() !== 0) {
    throw new HoldfastError("tool-failed", `only root can run a program as user '${name}'`, {
      hint: `run holdfast as root or as ${name}`,
    });
  }
  let line: string;
  try {
    line = execFileSync("getent", ["passwd", "--", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (cause) {
    throw new HoldfastError("tool-failed", `there is no user '${name}' on this machine`, { cause });
  }
  const [, , uid, gid, , home] = line.trim().split(":");
  const account = { uid: Number(uid), gid: Number(gid), home: home ?? "/" };
  accounts.set(name, account);
  return account;
}

export interface Surroundings {
  readonly env: Record<string, string>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** @throws tool-failed when `command.user` cannot be had */
export function surroundings(command: Command): Surroundings {
  const env: Record<string, string> = { PATH: usualPath };
  for (const name of passedOn) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  // Tools are read by their output: one language and one zone everywhere.
  env["LANG"] = "C.UTF-8";
  env["TZ"] = "UTC";
  const place = command.cwd === undefined ? {} : { cwd: command.cwd };
  if (command.user === undefined) return { env: { ...env, ...command.env }, ...place };
  const { uid, gid, home } = accountOf(command.user);
  const identity = { HOME: home, USER: command.user, LOGNAME: command.user };
  return { env: { ...env, ...identity, ...command.env }, ...place, uid, gid };
}

/** Full path of an executable file, or undefined. A name with a slash is looked at as it is. */
export function findProgram(program: string, places: readonly string[] = []): string | undefined {
  const folders = [...(process.env["PATH"] ?? usualPath).split(delimiter), ...places].filter((f) => f !== "");
  const candidates = program.includes("/") ? [program] : folders.map((folder) => join(folder, program));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
