/** Policies are fetched without TLS. */
import { hostOf, inSpec, isLoopback } from "../places.ts";
import type { Rule } from "../rule.ts";

export const reconcilerPlainRepository: Rule = {
  id: "reconciler/plain-repository",
  severity: "error",
  title: "policies are fetched without TLS",
  *check({ set }) {
    if (set.reconciler !== undefined) {
      const { url } = set.reconciler.repository;
      if (/^(http|git):\/\//i.test(url) && !isLoopback(hostOf(url.replace(/^git:/i, "http:")))) {
        yield inSpec("Reconciler", set.reconciler.name, ["repository", "url"], {
          message: `policies are fetched from '${url}' without TLS`,
          hint: "whoever is on the path decides what is deleted; use https or ssh",
        });
      }
    }
  },
};
