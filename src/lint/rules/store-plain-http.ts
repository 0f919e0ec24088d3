/** The store is reached without TLS. */
import { hostOf, inSpec, isLoopback } from "../places.ts";
import type { Rule } from "../rule.ts";

export const storePlainHttp: Rule = {
  id: "store/plain-http",
  severity: "warning",
  title: "the store is reached without TLS",
  *check({ set }) {
    for (const store of set.stores) {
      if (!/^http:/i.test(store.endpoint) || isLoopback(hostOf(store.endpoint))) continue;
      yield inSpec("Store", store.name, ["endpoint"], {
        message: `'${store.endpoint}' is reached without TLS`,
        hint: "whoever is on the path sees names and sizes and can cut or replace objects; use https",
      });
    }
  },
};
