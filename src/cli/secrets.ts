/** Reads secret values from where the policy says, and remembers each so that no output can show it. */
import { readFile } from "node:fs/promises";
import { HoldfastError } from "../errors.ts";
import type { SecretReference } from "../policy/model.ts";
import { rememberSecret } from "../secret.ts";

/** @throws key-missing naming the variable or file */
export async function readSecret(reference: SecretReference): Promise<string> {
  const value =
    reference.env === undefined ? await fromFile(reference.file ?? "") : process.env[reference.env];
  if (value === undefined || value === "") {
    const where = reference.env === undefined ? `file '${reference.file}'` : `variable ${reference.env}`;
    throw new HoldfastError("key-missing", `the secret in ${where} is not there`, {
      hint:
        reference.env === undefined
          ? "create the file, readable for this user only"
          : `export ${reference.env}`,
    });
  }
  rememberSecret(value);
  return value;
}

async function fromFile(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new HoldfastError("key-missing", `the secret file '${path}' cannot be read`, { cause: error });
  }
}

/** The age identities in the given files, one per line; comment lines are dropped. @throws key-missing */
export async function readIdentities(paths: readonly string[]): Promise<readonly string[]> {
  const identities: string[] = [];
  for (const path of paths) {
    const text = await fromFile(path);
    if (text === undefined) {
      throw new HoldfastError("key-missing", `the identity file '${path}' is not there`);
    }
    const found = text.split(/\r?\n/).filter((line) => line.startsWith("AGE-SECRET-KEY-1"));
    if (found.length === 0) {
      throw new HoldfastError("key-missing", `'${path}' holds no age identity`, {
        hint: "an identity is a line that begins with AGE-SECRET-KEY-1; holdfast key new makes one",
      });
    }
    for (const identity of found) rememberSecret(identity);
    identities.push(...found);
  }
  return identities;
}
