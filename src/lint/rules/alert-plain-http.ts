/** Alerts travel without TLS. */
import { hostOf, inList, isLoopback } from "../places.ts";
import type { Rule } from "../rule.ts";

export const alertPlainHttp: Rule = {
  id: "alert/plain-http",
  severity: "info",
  title: "alerts travel without TLS",
  *check({ set }) {
    for (const receiver of set.receivers) {
      if (!/^http:/i.test(receiver.url) || isLoopback(hostOf(receiver.url))) continue;
      yield inList("AlertTable", ["receivers", receiver.name, "url"], {
        message: `'${receiver.url}' is reached without TLS`,
        hint: "whoever is on the path can swallow an alert; use https",
      });
    }
  },
};
