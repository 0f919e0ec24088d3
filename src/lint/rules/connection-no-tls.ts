/** The source is read without TLS. */
import { inPolicy, isLoopback } from "../places.ts";
import type { Rule } from "../rule.ts";

export const connectionNoTls: Rule = {
  id: "connection/no-tls",
  severity: "warning",
  title: "the source is read without TLS",
  *check({ set }) {
    for (const policy of set.policies) {
      const { sslMode, host } = policy.connection;
      if (
        (sslMode !== "disable" && sslMode !== "allow") ||
        isLoopback(String(host)) ||
        String(host).startsWith("/")
      )
        continue;
      yield inPolicy(policy, ["connection", "sslMode"], {
        message: `'${String(host)}' is read with sslMode ${sslMode}`,
        hint: "the whole database crosses the network in the clear; use verify-full, or at least require",
      });
    }
  },
};
