/** Whether a policy's verifications can be kept apart from its source, and which secrets they need then. */
import { componentFacts } from "../component.ts";
import type { Policy, PolicySet, SecretReference, StoreCredentials, StoreSettings } from "../policy/model.ts";
import type { Job } from "../state/job.ts";

/**
 * The variables with which its stores are read and its verdicts written. Undefined where that takes the rights of
 * who writes backups, because the store has no set of its own for it, or where a secret lies in a file.
 */
export function apartOf(policy: Policy, set: PolicySet): Job["apart"] {
  const store = set.stores.find((s) => s.name === policy.store.name);
  const log = set.stores.find((s) => s.name === policy.log?.store.name);
  if (store === undefined || (policy.log !== undefined && log === undefined)) return undefined;
  const credentials = [
    ...ownSets(store, ["read", "verdict"]),
    ...(log === undefined ? [] : ownSets(log, ["read"])),
  ];
  const secrets = (componentFacts(policy.component).drillSecrets ?? []).flatMap(
    (field) => (policy.connection[field] as SecretReference | undefined) ?? [],
  );
  const references = [...credentials, ...secrets.map((secret) => [secret])];
  const variables = references.flatMap((r) => r?.map((reference) => reference.env) ?? [undefined]);
  if (variables.includes(undefined)) return undefined;
  return { variables: [...new Set(variables as readonly string[])].sort() };
}

/** Of each role's own set; undefined for one that the store does not have. A folder needs none. */
function ownSets(
  { type, credentials }: StoreSettings,
  roles: readonly ("read" | "verdict")[],
): readonly (readonly SecretReference[] | undefined)[] {
  return type === "directory" ? [] : roles.map((role) => referencesOf(credentials[role]));
}

function referencesOf(set: StoreCredentials | undefined): readonly SecretReference[] | undefined {
  if (set === undefined) return undefined;
  const { accessKeyId, secretAccessKey, sessionToken } = set;
  return [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])];
}
