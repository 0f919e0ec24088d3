/** The few options of the vendor's tools that the stand-ins beside this file understand. */
import { readFileSync } from "node:fs";
import { MongoClient } from "mongodb";

/** `--name=value` and `--name`. */
export function optionsOf(argv: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    argv.map((argument) => {
      const match = /^--([A-Za-z]+)(?:=([\s\S]*))?$/.exec(argument);
      if (match === null) throw new Error(`a stand-in does not know '${argument}'`);
      return [match[1] ?? "", match[2] ?? ""];
    }),
  );
}

/** Connects as the options say; the password comes from the file, as with the vendor's tools. */
export async function connect(options: ReadonlyMap<string, string>): Promise<MongoClient> {
  const username = options.get("username");
  const config = options.get("config");
  const password = config === undefined ? "" : readFileSync(config, "utf8").replace(/^password: /, "");
  const client = new MongoClient(options.get("uri") ?? "", {
    serverSelectionTimeoutMS: 5000,
    ...(username === undefined ? {} : { auth: { username, password: JSON.parse(password) as string } }),
  });
  await client.connect();
  return client;
}
