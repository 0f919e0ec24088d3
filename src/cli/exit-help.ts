/** The exit statuses each verb can give, for `--help` and docs/errors.md; tests compare both with this table. */
import { type ExitName, exitStatuses } from "../errors.ts";

export const verbExits = {
  init: ["fine", "usage"],
  install: ["fine", "usage"],
  adopt: ["fine", "usage", "unreachable"],
  lint: ["fine", "usage", "findings"],
  explain: ["fine", "usage"],
  plan: ["fine", "usage", "findings", "drift", "unreachable"],
  comment: ["fine", "usage", "unreachable"],
  apply: ["fine", "usage", "findings", "drift", "tool", "unreachable", "locked"],
  run: ["fine", "usage", "findings", "drift", "unreachable", "locked", "interrupted"],
  backup: ["fine", "usage", "drift", "tool", "unreachable", "locked", "key", "interrupted"],
  wal: ["fine", "usage", "drift", "verification", "tool", "unreachable", "locked", "key", "interrupted"],
  watch: ["fine", "usage", "drift", "verification", "tool", "unreachable", "locked", "key", "interrupted"],
  list: ["fine", "usage", "unreachable", "key"],
  verify: ["fine", "usage", "verification", "tool", "unreachable", "locked", "key", "interrupted"],
  restore: ["fine", "usage", "verification", "tool", "unreachable", "locked", "key", "interrupted"],
  prune: ["fine", "usage", "drift", "unreachable", "locked", "key", "interrupted"],
  hold: ["fine", "usage", "unreachable", "key"],
  simulate: ["fine", "usage", "unreachable", "key"],
  report: ["fine", "usage", "drift", "unreachable", "key"],
  status: ["fine", "usage", "drift", "unreachable", "key"],
  at: ["fine", "usage", "verification", "unreachable", "key"],
  coverage: ["fine", "usage", "findings", "unreachable"],
  alerts: ["fine", "usage", "findings"],
  doctor: ["fine", "usage", "findings", "drift", "tool", "unreachable", "key"],
  key: ["fine", "usage", "key"],
  demo: ["fine", "usage", "verification", "tool", "unreachable", "interrupted"],
} as const satisfies Record<string, readonly ExitName[]>;

export type Verb = keyof typeof verbExits;

/** The paragraph at the end of every `--help`. */
export function exitHelp(verb: Verb): string {
  const names: readonly ExitName[] = ["bug", ...verbExits[verb]];
  const lines = names
    .map((name) => exitStatuses[name])
    .sort((a, b) => a.status - b.status)
    .map((e) => `  ${String(e.status).padStart(3)}  ${e.meaning}`);
  return `\nExit status:\n${lines.join("\n")}\n`;
}
