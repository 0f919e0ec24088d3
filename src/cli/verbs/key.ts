import { writeFile } from "node:fs/promises";
import { HoldfastError } from "../../errors.ts";
import { paintFor, print, printJson } from "../console.ts";
import { type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

interface KeyCommandOptions extends SharedOptions {
  readonly out?: string;
}

/** Two actions: `new` writes an identity and prints its recipient; `test` says which recipients a key opens. */
export function keyCommand() {
  return withWorldOptions(verbCommand("key", "make and test the keys that backups are encrypted to"))
    .argument("<action>", "new or test")
    .option("--out <file>", "where `new` writes the identity; it must not exist")
    .action(async (action: string, options: KeyCommandOptions) => {
      if (action === "new") return newKey(options);
      if (action === "test") return testKeys(options);
      throw new HoldfastError("usage", `'${action}' is no action of key`, {
        hint: "holdfast key new, or holdfast key test",
      });
    });
}

async function newKey(options: KeyCommandOptions): Promise<void> {
  if (options.out === undefined) throw new HoldfastError("usage", "key new needs --out FILE");
  const { newIdentity } = await import("../../crypto/identity.ts");
  const { identity, recipient } = await newIdentity();
  const text = `# recipient: ${recipient}\n${identity}\n`;
  try {
    await writeFile(options.out, text, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new HoldfastError("usage", `'${options.out}' could not be written: ${(cause as Error).message}`, {
      hint: "name a file that does not exist; a key is never overwritten",
      cause,
    });
  }
  if (options.format === "json") return printJson({ ok: true, recipient, file: options.out });
  print(
    `${recipient}\nwritten to ${options.out}, readable for you only. Put the line above into the key ring of your policies,\n` +
      "and keep a second identity as escrow where no machine can reach it: without one of them no backup opens.",
  );
}

async function testKeys(options: KeyCommandOptions): Promise<void> {
  const [{ recipientOf }, { readIdentities }, { readPolicies }] = await Promise.all([
    import("../../crypto/identity.ts"),
    import("../secrets.ts"),
    import("../wire.ts"),
  ]);
  const paths = typeof options.identity === "string" ? [options.identity] : options.identity;
  if (paths.length === 0) throw new HoldfastError("key-missing", "no identity was given");
  const mine = new Set(await Promise.all((await readIdentities(paths)).map(recipientOf)));
  const { set } = await readPolicies(options);
  const policies = set.policies.map((policy) => ({
    policy: policy.name,
    opensWith: policy.encryption.recipients.filter((name) => {
      const recipient = set.keys.find((k) => k.name === name)?.recipient;
      return recipient !== undefined && mine.has(recipient);
    }),
  }));
  const ok = policies.every((p) => p.opensWith.length > 0);
  if (!ok) process.exitCode = 12;
  if (options.format === "json") return printJson({ ok, policies });
  const paint = paintFor(process.stdout);
  const lines = policies.map(({ policy, opensWith }) =>
    opensWith.length > 0
      ? `${paint.good("opens ")} ${policy}  as ${opensWith.join(", ")}`
      : `${paint.bad("closed")} ${policy}  this key is none of its recipients`,
  );
  print(lines.join("\n"));
  const escrows = new Set(set.keys.filter((k) => k.role === "escrow").map((k) => k.name));
  if (policies.some((p) => p.opensWith.some((name) => escrows.has(name))))
    print(
      paint.dim("by name; that it really opens a point: holdfast verify POLICY --level 3 --identity FILE"),
    );
}
