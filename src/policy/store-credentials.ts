/** Which set of a store's credentials a use of it takes. */
import type { StoreCredentials, StoreSettings } from "./model.ts";

/** What a store is opened for. `verdict` writes what a verification has found, and nothing else. */
export type StoreRole = "write" | "read" | "verdict" | "delete";

/**
 * Only ever down the ladder of harm: a reader may use the writer's set, because it must write to be of use
 * anyway, but nothing falls back to the set that may delete, and deleting has no fallback but the writer's.
 */
const fallbacks: Readonly<Record<StoreRole, readonly StoreRole[]>> = {
  write: ["write"],
  read: ["read", "write"],
  verdict: ["verdict", "write"],
  delete: ["delete", "write"],
};

/** Names of the sets that serve `role`, the one meant for it first. */
export function setsFor(role: StoreRole): readonly StoreRole[] {
  return fallbacks[role];
}

/** The credentials `role` uses, or undefined where none of its sets is configured. */
export function credentialsOf(settings: StoreSettings, role: StoreRole): StoreCredentials | undefined {
  const found = fallbacks[role].find((name) => settings.credentials[name] !== undefined);
  return found === undefined ? undefined : settings.credentials[found];
}
