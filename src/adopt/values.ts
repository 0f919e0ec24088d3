/** Values out of flags, variables and addresses. Each is taken over only if it has the shape of what it shall be. */
import { type ShellCommand, unknown, type Word } from "./shell.ts";
import type { Workload } from "./workload.ts";

const shapes = {
  host: /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/,
  user: /^[A-Za-z0-9_.@-]{1,63}$/,
  name: /^[A-Za-z0-9_.-]{1,63}$/,
  bucket: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  region: /^[a-z0-9-]{1,40}$/,
} as const;

/** The text if it has the shape, otherwise undefined. */
export function shaped(shape: keyof typeof shapes, text: string | undefined): string | undefined {
  return text !== undefined && shapes[shape].test(text) ? text : undefined;
}

export function portOf(text: string | undefined): number | undefined {
  const port = Number(text);
  return /^\d{1,5}$/.test(text ?? "") && port > 0 && port < 65_536 ? port : undefined;
}

/** An http(s) address, without what stands before an `@` in it. */
export function addressOf(text: string | undefined): string | undefined {
  const [, scheme, host, port = ""] =
    /^(https?):\/\/(?:[^/@\s]*@)?([A-Za-z0-9.-]{1,253})(:\d{1,5})?\/?$/.exec(text ?? "") ?? [];
  return scheme === undefined || host === undefined ? undefined : `${scheme}://${host}${port}`;
}

/** What follows one of the flags: `--host x`, `--host=x`, `-hx`. Undefined when none is there. */
export function flagOf(words: readonly Word[], flags: readonly string[]): string | undefined {
  for (const [n, { text }] of words.entries()) {
    for (const flag of flags) {
      if (text === flag) return words[n + 1]?.text ?? "";
      if (text.startsWith(`${flag}=`)) return text.slice(flag.length + 1);
      if (/^-[A-Za-z]$/.test(flag) && text.startsWith(flag)) return text.slice(2);
    }
  }
  return undefined;
}

/** Of the first variable that is set here: its value, or `unknown` where the object does not have it. */
export function variableOf(command: ShellCommand, names: readonly string[]): string | undefined {
  for (const name of names) if (command.variables.has(name)) return command.variables.get(name) ?? unknown;
  return undefined;
}

export interface Address {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly hasPassword: boolean;
  readonly host: string;
  readonly port: string | undefined;
  readonly path: string | undefined;
  readonly query: string;
  /** More than one server was named; the first is taken. */
  readonly hasMore: boolean;
}

/** `scheme://user:password@host:port/path?query`; the password is seen and not kept. */
export function parseAddress(text: string | undefined): Address | undefined {
  const [, scheme, user, password, hosts, path, query = ""] =
    /^([a-z][a-z0-9+]{1,20}):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(
      text ?? "",
    ) ?? [];
  if (scheme === undefined || hosts === undefined) return undefined;
  const [first = "", ...more] = hosts.split(",");
  const [host = "", port] = first.split(":");
  return {
    scheme,
    user: user === "" ? undefined : user,
    hasPassword: password !== undefined && password !== "" && password !== unknown,
    host,
    port,
    path: path === "" ? undefined : path,
    query,
    hasMore: more.length > 0,
  };
}

/** A service's short name is known in its own namespace only; the runs are in another. */
export function qualified(host: string, { namespace }: Pick<Workload, "namespace">): string {
  return /^[a-z0-9-]+$/i.test(host) && host !== "localhost" && namespace !== ""
    ? `${host}.${namespace}.svc`
    : host;
}

/** The pod itself: nobody else reaches it there. */
export function isInside(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}
