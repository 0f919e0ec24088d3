/** Two store documents name one place. */
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storeDuplicateTarget: Rule = {
  id: "store/duplicate-target",
  severity: "error",
  title: "two store documents name one place",
  *check({ set }) {
    const places = new Map<string, string>();
    for (const store of set.stores) {
      const key =
        store.type === "s3"
          ? `${store.endpoint} ${store.region} ${store.bucket}`
          : store.path.replace(/\/+$/, "");
      const first = places.get(key);
      if (first === undefined) {
        places.set(key, store.name);
        continue;
      }
      yield inSpec("Store", store.name, [store.type === "s3" ? "bucket" : "path"], {
        message: `this is the place of the store '${first}' too`,
        hint: "prefixes are compared inside one store only, so an overlap here stays unseen; use one document",
      });
    }
  },
};
