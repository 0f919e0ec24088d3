/** One way to call git: no prompt, no hooks, no odd transports, credentials by environment and never in argv. */
import { spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { type SimpleGit, simpleGit } from "simple-git";
import { HoldfastError } from "../errors.ts";
import { rememberSecret } from "../secret.ts";

/** A remote: where it is, and what is shown to it. */
export interface GitAccess {
  /** Without a password: it stands in argument lists and messages. */
  readonly address: string;
  /** Value of the HTTP header `Authorization`. */
  readonly authorization?: string;
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
  // Would put a signature's verdict into the output that is parsed.
  ["log.showSignature", "false"],
];

/**
 * Takes a password out of the address and turns a token into what git servers understand: all the big ones
 * take it as the password of basic authentication, few as a bearer. A path is made absolute, because git
 * runs in the copy's folder.
 * @throws usage for what git would read as an option, or as a transport that runs programs
 */
export function accessTo(url: string, token: string | undefined, deadlineMs: number): GitAccess {
  requirePlain("address", url);
  const isPath = !url.includes("://") && !/^[^/]+:/.test(url);
  if (isPath) return { address: resolve(url), deadlineMs };
  if (!/^https?:\/\//i.test(url)) return { address: url, deadlineMs };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined)
    throw new HoldfastError("usage", "the address of the policy repository is no URL");
  const user = decodeURIComponent(parsed.username);
  const password = token ?? decodeURIComponent(parsed.password);
  parsed.username = "";
  parsed.password = "";
  const address = parsed.href.replace(/\/$/, "");
  if (user === "" && password === "") return { address, deadlineMs };
  const encoded = Buffer.from(`${user === "" ? "x-access-token" : user}:${password}`).toString("base64");
  rememberSecret(password);
  rememberSecret(encoded);
  return { address, authorization: `Basic ${encoded}`, deadlineMs };
}

/** The whole environment of git in `folder`; it never looks for a repository in a folder above. */
export function gitEnvironment(folder: string, access: GitAccess): Record<string, string> {
  const settings = [...fixedSettings];
  if (access.authorization !== undefined) {
    const { origin } = new URL(access.address);
    settings.push([`http.${origin}/.extraHeader`, `Authorization: ${access.authorization}`]);
  }
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: process.env["HOME"] ?? "/",
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    // A copy that has lost its HEAD is no repository to git, and the one around it is somebody's work.
    GIT_CEILING_DIRECTORIES: dirname(resolve(folder)),
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
  const env = { ...gitEnvironment(folder, access), ...extra };
  return simpleGit({
    baseDir: folder,
    // Counts from the last output; long commands are asked for their progress.
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

/** Output of one git command that reads `input`; simple-git cannot feed a command. */
export async function feedGit(
  folder: string,
  access: GitAccess,
  args: readonly string[],
  input: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const child = spawn("git", args, {
    cwd: folder,
    env: { ...gitEnvironment(folder, access), ...extra },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: access.deadlineMs,
    killSignal: "SIGKILL",
  });
  const ended = new Promise<number | null>((done, fail) => {
    child.once("error", fail);
    child.once("close", done);
  });
  // A git that dies early says why on its own; the broken pipe is no news.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [output, complaint, status] = await Promise.all([buffer(child.stdout), text(child.stderr), ended]);
  if (status !== 0) throw new Error(complaint.trim() || `git ${args[0]} ended with ${status}`);
  return output;
}

const unreachable =
  /could not resolve|unable to access|connection (?:refused|reset|timed out)|could not read from remote|timed out|block timeout|does not appear to be a git repository|repository .* not found|empty reply|early eof|the remote end hung up|HTTP 5\d\d|terminal prompts disabled|authentication failed/i;

/** What a failed git command means for the caller. */
export function gitFailure(what: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const lines = (error instanceof Error ? error.message : String(error)).trim().split(/[\r\n]+/);
  const telling = lines.filter((line) => /^(?:fatal|error|remote|ssh):? /i.test(line));
  const said = (telling.length > 0 ? telling : lines).slice(0, 3).join("; ");
  const code = unreachable.test(lines.join("\n")) ? "source-unreachable" : "tool-failed";
  return new HoldfastError(code, `${what}: ${said}`, { cause: error });
}

/** @throws usage for what git would read as an option, or as a transport that runs programs */
export function requirePlain(name: string, value: string): void {
  const isBad =
    value === "" || value.startsWith("-") || /[\0\r\n]/.test(value) || /^[a-z0-9+.-]+::/i.test(value);
  if (isBad) throw new HoldfastError("usage", `'${value}' cannot be a ${name} of a policy repository`);
}
