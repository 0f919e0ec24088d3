/** One way to call git: no prompt, no hooks, no odd transports, credentials by environment and never in argv. */
import { type SimpleGit, simpleGit } from "simple-git";
import { HoldfastError } from "../errors.ts";

export interface GitAccess {
  /** Sent as an HTTP bearer token. */
  readonly token?: string;
  readonly deadlineMs: number;
}

/** Settings that no repository and no user can change. */
const fixedSettings: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"],
  ["protocol.ext.allow", "never"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["transfer.fsckObjects", "true"],
  ["safe.directory", "*"],
];

export function gitEnvironment(access: Pick<GitAccess, "token">): Record<string, string> {
  const settings = [...fixedSettings];
  if (access.token !== undefined)
    settings.push(["http.extraHeader", `Authorization: Bearer ${access.token}`]);
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: process.env["HOME"] ?? "/",
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_COUNT: String(settings.length),
  };
  for (const name of ["SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "SSL_CERT_FILE", "SSL_CERT_DIR"]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  for (const [index, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

/** git in `folder`; `extra` adds variables, such as an index file of its own. */
export function gitIn(
  folder: string,
  access: GitAccess,
  extra: Readonly<Record<string, string>> = {},
): SimpleGit {
  const env = { ...gitEnvironment(access), ...extra };
  return simpleGit({
    baseDir: folder,
    timeout: { block: access.deadlineMs },
    // Every variable is ours: what the package guards against is text of strangers in them.
    allowEnvironment: Object.keys(env),
    unsafe: {
      allowUnsafeConfigPaths: true,
      allowUnsafeConfigEnvCount: true,
      allowUnsafeProtocolOverride: true,
      allowUnsafeHooksPath: true,
      allowUnsafeSshCommand: true,
    },
  }).env(env);
}

const unreachable =
  /could not resolve|unable to access|connection (?:refused|reset|timed out)|could not read from remote|timed out|block timeout|does not appear to be a git repository|repository .* not found|empty reply|early eof|the remote end hung up|HTTP 5\d\d/i;

/** What a failed git command means for the caller. */
export function gitFailure(what: string, error: unknown): HoldfastError {
  const text = (error instanceof Error ? error.message : String(error))
    .trim()
    .split("\n")
    .slice(0, 3)
    .join("; ");
  if (error instanceof HoldfastError) return error;
  const code = unreachable.test(text) ? "source-unreachable" : "tool-failed";
  return new HoldfastError(code, `${what}: ${text}`, { cause: error });
}

/** @throws usage for what git would read as an option, or as a transport that runs programs */
export function requirePlain(name: string, value: string): void {
  const isBad = value === "" || value.startsWith("-") || /[\0\n]/.test(value) || /^[a-z]+::/i.test(value);
  if (isBad) throw new HoldfastError("usage", `'${value}' cannot be a ${name} of a policy repository`);
}
