/** age identities and recipients, the keys that open and close every backup. */
import { HoldfastError } from "../errors.ts";
import { rememberSecret } from "../secret.ts";

/** A fresh `AGE-SECRET-KEY-1…` and its `age1…`. */
export async function newIdentity(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  rememberSecret(identity);
  return { identity, recipient: await identityToRecipient(identity) };
}

/** @throws key-wrong when `identity` is no age identity */
export async function recipientOf(identity: string): Promise<string> {
  const { identityToRecipient } = await import("age-encryption");
  try {
    return await identityToRecipient(identity);
  } catch (cause) {
    throw new HoldfastError("key-wrong", "one of the identities is no age identity", { cause });
  }
}
