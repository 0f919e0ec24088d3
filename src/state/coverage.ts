/** What the sources of the policies hold, as somebody has seen it. Plain JSON values. */
import type { Instant } from "../catalogue/instant.ts";
import type { ComponentKind } from "../component.ts";

/** One thing at a source that a backup holds or misses. */
export interface SourceItem {
  /** One of the component's `holds`. */
  readonly kind: string;
  /** The source's own name of it, with what it lies in: `shop.orders`. */
  readonly name: string;
  /** A fact that decides whether a capture takes it: a table's engine, a mount's type. */
  readonly detail?: string;
  /** Why nobody asks for a backup of it: it is the server's own and comes with a new one. */
  readonly setAside?: string;
}

export interface SourceLook {
  /** What tells this source from any other; items of one name at two sources are two things. */
  readonly server: string;
  readonly items: readonly SourceItem[];
  /** Parts that could not be looked at, each with its cause. */
  readonly unseen: readonly string[];
}

export type PolicyLook = { readonly policy: string; readonly component: ComponentKind } & (
  | SourceLook
  | { readonly cause: string }
);

/** One look at the sources of all policies. */
export interface Looks {
  readonly at: Instant;
  /** Commit of the policies; empty when they were read from a folder. */
  readonly revision: string;
  readonly looks: readonly PolicyLook[];
}

/** A thing as waivers and people name it: `bucket/logs`. */
export function itemName({ kind, name }: Pick<SourceItem, "kind" | "name">): string {
  return `${kind}/${name}`;
}
