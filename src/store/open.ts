/** Opens the store that settings describe, with the credentials of one role. */
import { HoldfastError } from "../errors.ts";
import type { SecretReference, StoreSettings } from "../policy/model.ts";
import { credentialsOf, type StoreRole, setsFor } from "../policy/store-credentials.ts";
import { openDirectoryStore } from "./directory.ts";
import type { Store } from "./store.ts";

/**
 * The store of `settings` for `role`. Nothing is contacted yet. Credentials are those the settings name: the
 * environment's default chain is not used, so that a stray profile never decides where backups go.
 * @throws store-denied when the role has no credentials, and what `secret` throws.
 */
export async function openStore(
  settings: StoreSettings,
  role: StoreRole,
  secret: (reference: SecretReference) => Promise<string>,
): Promise<Store> {
  if (settings.type === "directory") return openDirectoryStore(settings);
  const references = credentialsOf(settings, role);
  if (references === undefined) {
    throw new HoldfastError("store-denied", `store '${settings.name}' has no credentials to ${role}`, {
      hint: `set credentials.${setsFor(role).join(" or credentials.")} of the store`,
    });
  }
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    secret(references.accessKeyId),
    secret(references.secretAccessKey),
    references.sessionToken === undefined ? undefined : secret(references.sessionToken),
  ]);
  const { openS3Store } = await import("./s3.ts");
  return openS3Store(settings, role, {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
}
