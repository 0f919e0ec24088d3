/** The only place that builds real adapters and hands them to the verbs. Heavy packages are loaded when used. */
import { createHash, randomUUID } from "node:crypto";
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import type { EngineContext } from "../engine/engine.ts";
import { builtKinds, loadEngine, loadedEngine } from "../engine/engines.ts";
import { HoldfastError } from "../errors.ts";
import { openExec } from "../exec/system.ts";
import type { Logger } from "../log.ts";
import type { World } from "../operate/world.ts";
import type { Policy, PolicySet, StoreReference, StoreSettings } from "../policy/model.ts";
import { readPlainSet } from "../policy/plain.ts";
import type { StoreRole } from "../policy/store-credentials.ts";
import { type StoreSet, writable } from "../repository/context.ts";
import type { Repository } from "../repository/repository.ts";
import { redact } from "../secret.ts";
import type { Store } from "../store/store.ts";
import { systemClock } from "../time/clock.ts";
import { complain, type Steps } from "./console.ts";
import { openMachine } from "./machine.ts";
import { type PolicyOrigin, readBundle, readPolicyPaths, readSchemas } from "./policy-files.ts";
import { readIdentities, readSecret } from "./secrets.ts";

export interface WireOptions {
  readonly policies: string;
  readonly bundle?: string;
  readonly state: string;
  readonly identities: readonly string[];
  readonly log: Logger;
  readonly steps: Steps;
  readonly signal: AbortSignal;
}

export interface WiredWorld extends World {
  readonly stateDirectory: string;
  /** Closes stores and ends what is still open. */
  close(): Promise<void>;
}

/** The policies a verb works with. Documents with faults are left out; `lint` is the verb that shows them. */
export async function readPolicies(
  options: Pick<WireOptions, "policies" | "bundle">,
): Promise<PolicyOrigin & { readonly set: PolicySet }> {
  const { bundle, policies } = options;
  // git answers while the files are read and checked.
  const revision = bundle === undefined ? revisionOf(policies) : undefined;
  const origin =
    bundle === undefined
      ? { files: await readPolicyPaths([policies]), revision: "" }
      : await readBundle(bundle);
  const set = readPlainSet(origin.files) ?? (await readCarefully(origin.files));
  return { ...origin, revision: (await revision) ?? origin.revision, set };
}

/** Says which files are left out. The reader that can tell, and what it needs, is loaded for that alone. */
async function readCarefully(files: PolicyOrigin["files"]): Promise<PolicySet> {
  const { readPolicySet } = await import("../policy/read.ts");
  const { set, findings } = readPolicySet(files, await readSchemas());
  const broken = new Set(findings.filter((f) => f.severity === "error").map((f) => f.location.file));
  if (broken.size > 0) {
    // Said by every verb: a policy that is left out looks as if it had no backups.
    complain(
      `note: ${[...broken].join(", ")} cannot be used as it stands and is left out; run holdfast lint`,
    );
  }
  return set;
}

/** The commit checked out around `folder`, or empty outside git or with local changes. */
async function revisionOf(folder: string): Promise<string> {
  const exec = openExec();
  try {
    const git = (...rest: string[]) =>
      exec.run({ argv: ["git", "-C", folder, ...rest] }, { deadlineMs: 10_000 });
    const { stdout: changes } = await git("status", "--porcelain", "--", ".");
    if (changes.trim() !== "") return "";
    return (await git("rev-parse", "HEAD")).stdout.trim();
  } catch {
    return "";
  }
}

export async function wire(options: WireOptions): Promise<WiredWorld> {
  const { set, revision } = await readPolicies(options);
  return buildWorld(options, set, revision);
}

/** A world on policies that are known already. */
export async function buildWorld(
  options: WireOptions,
  set: PolicySet,
  revision: string,
): Promise<WiredWorld> {
  const stateDirectory = resolve(options.state);
  // Servers under another user restore below it: they may pass through, and nobody may look around.
  await mkdir(stateDirectory, { recursive: true });
  await chmod(stateDirectory, 0o711);
  const exec = openExec();
  const cluster = set.reconciler?.cluster ?? "default";
  const repositories = new Map<string, Promise<Repository>>();
  const stores: Store[] = [];

  async function storesOf(reference: StoreReference) {
    const { openStore } = await import("../store/open.ts");
    const settings = settingsOf(set, reference);
    const open = async (role: StoreRole): Promise<Store> => {
      const store = await openStore(settings, role, readSecret);
      stores.push(store);
      return store;
    };
    const denied: Partial<Record<StoreRole, HoldfastError>> = {};
    // A run may be given less than the policies name: a drill reads, and writes its verdict.
    const openOr = async (role: "write" | "verdict" | "delete"): Promise<StoreSet> =>
      open(role).then(
        (store) => ({ read, [role]: store }),
        (error: unknown) => {
          if (!(error instanceof HoldfastError) || error.code !== "key-missing") throw error;
          denied[role] = error;
          return { read };
        },
      );
    const read = await open("read");
    const others = [await openOr("write"), await openOr("verdict"), await openOr("delete")];
    return { settings, stores: Object.assign({ denied }, ...others) as StoreSet };
  }

  async function openPolicyRepository(policy: Policy): Promise<Repository> {
    const { openRepository } = await import("../repository/open.ts");
    const main = await storesOf(policy.store);
    const log = policy.log === undefined ? undefined : await storesOf(policy.log.store);
    const recipients = policy.encryption.recipients.map((name) => {
      const key = set.keys.find((k) => k.name === name);
      if (key === undefined) throw new HoldfastError("key-missing", `recipient '${name}' is in no key ring`);
      return key.recipient;
    });
    const logNames = (await loadEngine(policy.component))?.logNames;
    return openRepository({
      policy,
      cluster,
      settings: main.settings,
      stores: main.stores,
      ...(log === undefined ? {} : { logStores: log.stores }),
      ...(logNames === undefined ? {} : { logNames }),
      recipients,
      identities: () => readIdentities(options.identities),
      exec,
      clock: systemClock,
      log: options.log,
      cacheDirectory: join(stateDirectory, "cache"),
    });
  }

  const world: WiredWorld = {
    clock: systemClock,
    machine: openMachine(exec, options.identities, join(stateDirectory, "work")),
    log: options.log,
    signal: options.signal,
    set,
    revision,
    cluster,
    stateDirectory,
    holder: `${hostname()} process ${process.pid}`,
    repository: (policy) => {
      const known = repositories.get(policy.name) ?? openPolicyRepository(policy);
      repositories.set(policy.name, known);
      return known;
    },
    hasEngine: (policy) => builtKinds.includes(policy.component),
    loadedEngine: (policy) => loadedEngine(policy.component),
    engine: async (policy) => {
      const engine = await loadEngine(policy.component);
      if (engine !== undefined) return engine;
      throw new HoldfastError(
        "not-built-yet",
        `the engine for ${policy.component} is not there yet; policy '${policy.name}' is only checked`,
      );
    },
    withContext: async (policy, { keep, signals = [] }, work) => {
      const workDirectory = await contextFolder(stateDirectory, policy, keep);
      const context: EngineContext = {
        policy,
        exec,
        clock: systemClock,
        log: options.log,
        signal: AbortSignal.any([options.signal, ...signals]),
        workDirectory,
        secret: readSecret,
        step: (text) => options.steps.step(text),
        store: async (role) => {
          const { stores } = await storesOf(policy.store);
          return (role === "read" ? stores.read : writable(stores)).place("");
        },
      };
      try {
        return await work(context);
      } finally {
        if (keep === undefined) await rm(workDirectory, { recursive: true, force: true });
      }
    },
    step: (text) => options.steps.step(text),
    progress: (progress) => options.steps.progress(progress),
    sha256: (text) => createHash("sha256").update(text).digest("hex"),
    randomId: () => randomUUID(),
    remember: async (journal, value) => {
      await appendFile(join(stateDirectory, `${journal}.jsonl`), `${redact(JSON.stringify(value))}\n`);
    },
    recall: <T>(journal: string) => readJournal<T>(join(stateDirectory, `${journal}.jsonl`)),
    close: async () => {
      options.steps.finish();
      for (const repository of repositories.values())
        await repository.then((r) => r.close()).catch(() => undefined);
      for (const store of stores) await store.close();
    },
  };
  return world;
}

async function contextFolder(
  stateDirectory: string,
  policy: Policy,
  keep: string | undefined,
): Promise<string> {
  if (keep === undefined) {
    const parent = join(stateDirectory, "work");
    await mkdir(parent, { recursive: true, mode: 0o711 });
    const folder = await mkdtemp(join(parent, `${policy.name}-`));
    await chmod(folder, 0o711);
    return folder;
  }
  const kept = join(stateDirectory, keep);
  await mkdir(kept, { recursive: true });
  return kept;
}

function settingsOf(set: PolicySet, reference: StoreReference): StoreSettings {
  const settings = set.stores.find((s) => s.name === reference.name);
  if (settings !== undefined) return settings;
  throw new HoldfastError("policy-invalid", `there is no store called '${reference.name}'`);
}

const journalLines = 10_000;

async function readJournal<T>(path: string): Promise<readonly T[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text
    .split("\n")
    .slice(-journalLines)
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as T];
      } catch {
        // An empty last line, or one that a crash has cut short.
        return [];
      }
    });
}
