/** Wires GitHub issues: the token from the environment, texts from `report`, proof from what was seen last. */
import { type Issues, openGithubIssues } from "../notify/github-issues.ts";
import type { Observation } from "../operate/observe.ts";
import { statusOf } from "../operate/status.ts";
import { renderFarewell, renderIssue } from "../report/issue.ts";
import { rememberSecret } from "../secret.ts";
import { systemClock } from "../time/clock.ts";
import type { WiredWorld, WireOptions } from "./wire.ts";

const usualApiUrl = "https://api.github.com";

export function openIssues(
  wiring: Pick<WireOptions, "log">,
  world: () => WiredWorld,
  seen: () => Observation | undefined,
): Issues {
  const ownerOf = (policy: string): string =>
    world().set.policies.find((p) => p.name === policy)?.owner ?? "";
  return openGithubIssues({
    receivers: () => world().set.receivers,
    cluster: () => world().cluster,
    clock: systemClock,
    log: wiring.log,
    token: () => {
      const token = process.env["HOLDFAST_GITHUB_TOKEN"];
      if (token !== undefined && token !== "") rememberSecret(token);
      return token;
    },
    apiUrl: process.env["GITHUB_API_URL"] ?? usualApiUrl,
    render: (alert) => renderIssue({ ...alert, owner: ownerOf(alert.policy), cluster: world().cluster }),
    farewell: (policy) => {
      const observation = seen();
      const health =
        observation === undefined
          ? undefined
          : statusOf(world(), observation).healths.find((h) => h.policy === policy);
      const proof =
        health?.proven === undefined
          ? health?.newest === undefined
            ? ""
            : `The newest point is ${health.newest.id}; it is not proved yet.`
          : `Proved: point ${health.proven.id} at level ${health.proven.level}, ${health.proven.at}.`;
      const isThere = world().set.policies.some((p) => p.name === policy);
      return { text: renderFarewell(policy, isThere, proof), isMended: policy === "" || isThere };
    },
  });
}
