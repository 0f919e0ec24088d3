/** Commands as documents show them, taken by the real command line. */
import { program, verbNames } from "../../src/cli/program.ts";

/** What stands for something of the reader's own, as a value of the shape that is wanted there. */
const placeholders: Readonly<Record<string, string>> = {
  TIME: "2026-11-20T14:03:00Z",
  INSTANT: "2026-11-20T14:03:00Z",
  COMMIT: "a".repeat(40),
  "OWNER/NAME@COMMIT": `octo-org/holdfast@${"a".repeat(40)}`,
  N: "4",
};

/** Words as a shell splits them, of what stands in documents: no more than quotes. */
export function wordsOf(command: string): readonly string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3] ?? "");
}

/** Every call of `holdfast` in a line of a shell, without what goes before, behind and around it. */
export function callsIn(line: string): readonly string[] {
  const words = /(?<![\w/.-])holdfast(?: (?:"[^"]*"|'[^']*'|[^\s"'|>&;)#]+))*/g;
  return [...line.replace(/\s#.*$/, "").matchAll(words)].map((m) => m[0]);
}

/** Parses by the real command line; the verb itself is not run. @throws what a person would see */
export async function parseCommand(command: string): Promise<void> {
  const [name, ...args] = wordsOf(command).map((word) => placeholders[word] ?? word);
  if (name !== "holdfast") throw new Error(`'${name}' is not holdfast`);
  if (!verbNames.some((verb) => verb === args[0])) throw new Error(`'${args[0]}' is no verb`);
  const root = await program(args);
  const verb = root.commands[0];
  root.configureOutput({ writeErr: () => undefined });
  verb?.configureOutput({ writeErr: () => undefined, outputError: () => undefined }).action(() => undefined);
  await root.parseAsync(["node", "holdfast", ...args]);
}
