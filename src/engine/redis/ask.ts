/**
 * Assertions on a restored server. A statement is one read command as redis-cli takes it, and where its value has
 * to be compared, an operator and a number: `DBSIZE > 0`, `HGET user:1 name`, `EXISTS config == 1`.
 */
import { HoldfastError } from "../../errors.ts";
import { compareNumbers } from "../comparison.ts";
import type { Client } from "./connection.ts";

const comparison = /^(.*\S)\s*(==|!=|>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$/s;
/** They change nothing, and the server does not call them reading. */
const harmless = new Set(["ping", "info", "time", "dbsize", "lastsave"]);

/** The single value: true or false where a comparison stands in the statement. @throws usage */
export async function ask(client: Client, statement: string, database: string): Promise<unknown> {
  const match = comparison.exec(statement);
  const args = splitWords(match?.[1] ?? statement);
  const [name = ""] = args;
  if (database !== "") await client.command("SELECT", database);
  await requireReading(client, name, statement);
  const answer = await client.command(...args);
  const value = Array.isArray(answer) ? answer.length : answer;
  return match === null ? value : compareNumbers(Number(value), match[2] ?? "", Number(match[3]));
}

/** What judges a restore must not be able to change it. */
async function requireReading(client: Client, name: string, statement: string): Promise<void> {
  if (harmless.has(name.toLowerCase())) return;
  const [about] = (await client.command("COMMAND", "INFO", name)) as readonly unknown[];
  const flags = Array.isArray(about) ? (about[2] as Iterable<unknown>) : [];
  if ([...flags].map(String).includes("readonly")) return;
  throw new HoldfastError("usage", `'${statement}' is no command that only reads`, { hint: "DBSIZE > 0" });
}

/** Words at blanks, single and double quotes as a shell has them. @throws usage for an open quote */
export function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  const word = /\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+))/gy;
  let end = 0;
  for (let match = word.exec(text); match !== null; match = word.exec(text)) {
    words.push(match[1]?.replace(/\\(.)/g, "$1") ?? match[2] ?? match[3] ?? "");
    end = word.lastIndex;
  }
  if (words.length > 0 && text.slice(end).trim() === "") return words;
  throw new HoldfastError("usage", `'${text}' is no Redis command`, { hint: "DBSIZE > 0" });
}
