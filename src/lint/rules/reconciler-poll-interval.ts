/** The repository is polled too often or too rarely. */
import { formatDuration } from "../../time/duration.ts";
import { inSpec } from "../places.ts";
import type { Rule } from "../rule.ts";

export const reconcilerPollInterval: Rule = {
  id: "reconciler/poll-interval",
  severity: "warning",
  title: "the repository is polled too often or too rarely",
  *check({ set }) {
    if (set.reconciler !== undefined) {
      const { pollEveryMs } = set.reconciler;
      if (pollEveryMs < 10_000 || pollEveryMs > 3_600_000) {
        yield inSpec("Reconciler", set.reconciler.name, ["pollEvery"], {
          message: `the repository is polled every ${formatDuration(pollEveryMs)}`,
          hint: "under 10s the forge throttles, over 1h a merged change waits unnoticed; 1m is usual",
        });
      }
    }
  },
};
