/**
 * Assertions on a restored server. A statement is a read command as JSON, and where its value has to be
 * compared, an operator and a number: `{"count": "users"} > 0`.
 */
import { BSON, type MongoClient } from "mongodb";
import { HoldfastError } from "../../errors.ts";
import { compareNumbers } from "../comparison.ts";

/** Commands that only read; what judges a restore must not be able to change it. */
const reading = ["aggregate", "collStats", "count", "dbStats", "distinct", "find", "listCollections", "ping"];

/** The single value: true or false where a comparison stands in the statement. @throws usage */
export async function ask(client: MongoClient, statement: string, database: string): Promise<unknown> {
  const { command, operator, number } = parseStatement(statement);
  const answer = await client.db(database === "" ? "test" : database).command(command);
  const value = singleValue(answer);
  return operator === undefined ? value : compareNumbers(Number(value), operator, number);
}

interface Statement {
  readonly command: BSON.Document;
  readonly operator?: string;
  readonly number: number;
}

export function parseStatement(statement: string): Statement {
  const match = /^\s*(\{[\s\S]*\})\s*(?:(==|!=|>=|<=|>|<)\s*(-?\d+(?:\.\d+)?))?\s*$/.exec(statement);
  let command: BSON.Document;
  try {
    command = BSON.EJSON.parse(match?.[1] ?? "") as BSON.Document;
  } catch (cause) {
    throw new HoldfastError("usage", `'${statement}' is no command in JSON with a comparison behind it`, {
      hint: '{"count": "users"} > 0',
      cause,
    });
  }
  const [name = ""] = Object.keys(command);
  const writes = /"\$(?:out|merge)"/.test(JSON.stringify(command));
  if (!reading.includes(name) || writes) {
    throw new HoldfastError("usage", `'${name}' is no command that only reads`, {
      hint: `use one of ${reading.join(", ")}`,
    });
  }
  return { command, number: Number(match?.[3]), ...(match?.[2] === undefined ? {} : { operator: match[2] }) };
}

/** The first field of the first document, the count, or the number of distinct values. */
export function singleValue(answer: BSON.Document): unknown {
  const batch = (answer["cursor"] as { firstBatch?: readonly BSON.Document[] } | undefined)?.firstBatch;
  if (batch !== undefined) {
    const fields = Object.entries(batch[0] ?? {});
    return (fields.find(([name]) => name !== "_id") ?? fields[0])?.[1];
  }
  if (Array.isArray(answer["values"])) return answer["values"].length;
  return answer["n"] ?? answer["ok"] === 1;
}
