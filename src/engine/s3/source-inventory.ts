/** Every bucket of the endpoint that the policy's credentials can list; the policy takes one. */
import { ListBucketsCommand } from "@aws-sdk/client-s3";
import { HoldfastError } from "../../errors.ts";
import type { Policy, StoreSettings } from "../../policy/model.ts";
import type { SourceItem, SourceLook } from "../../state/coverage.ts";
import type { EngineContext, SourceInventory } from "../engine.ts";
import { type Side, sourceOf, withSide } from "./sides.ts";

export const sourceInventory: SourceInventory = { address, misses, isStore, look };

/** Bucket names of the provider's own endpoint are one space, whatever the region. */
const provider = "s3.amazonaws.com";

function address({ connection }: Policy): string {
  return hostOf(String(connection["endpoint"] ?? ""));
}

function hostOf(endpoint: string): string {
  if (endpoint === "" || !URL.canParse(endpoint)) return provider;
  const { host } = new URL(endpoint);
  return /^s3[.-].*amazonaws\.com$/.test(host) ? provider : host;
}

function misses({ connection }: Policy, { name }: SourceItem): string | undefined {
  return name === connection["bucket"] ? undefined : "no policy replicates it";
}

function isStore(policy: Policy, { name }: SourceItem, store: StoreSettings): boolean {
  return store.type === "s3" && store.bucket === name && hostOf(store.endpoint) === address(policy);
}

async function look(context: EngineContext): Promise<SourceLook> {
  const source = await sourceOf(context);
  const server = address(context.policy);
  try {
    const buckets = await bucketsOf(source);
    return { server, items: buckets.map((name) => ({ kind: "bucket", name })), unseen: [] };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== "tool-failed") throw error;
    const unseen = [
      `the other buckets of ${server}: the credentials may not list them (s3:ListAllMyBuckets)`,
    ];
    return { server, items: [{ kind: "bucket", name: source.bucket }], unseen };
  }
}

function bucketsOf(source: Side): Promise<readonly string[]> {
  return withSide(source, async (client) => {
    const names: string[] = [];
    let next: string | undefined;
    do {
      const page = await client.send(
        new ListBucketsCommand(next === undefined ? {} : { ContinuationToken: next }),
      );
      for (const { Name } of page.Buckets ?? []) if (Name !== undefined) names.push(Name);
      next = page.ContinuationToken;
    } while (next !== undefined && next !== "");
    return names;
  });
}
