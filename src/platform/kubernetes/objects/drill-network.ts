/**
 * What drills may reach: names are resolved, and the stores. A NetworkPolicy knows addresses and no names, so a store
 * that is called by a name outside the cluster is any public address at its port; networks narrow that down.
 */
import { isIP } from "node:net";
import { ourLabels } from "./names.ts";
import type { KubeObject } from "./shapes.ts";

export interface StoreEndpoint {
  /** Name or address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
  /** Where a name leads to, as CIDR blocks. */
  readonly networks?: readonly string[];
}

interface Peer {
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
  readonly namespaceSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
}

/** Reserved or a network's own: sources and the clouds' metadata are found there, public stores are not. */
const notPublic = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"],
  ...["172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"],
];
const notPublic6 = ["::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8", "64:ff9b::/96"];
const anyPublic: readonly Peer[] = [
  { ipBlock: { cidr: "0.0.0.0/0", except: notPublic } },
  { ipBlock: { cidr: "::/0", except: notPublic6 } },
];
const namespaceName = "kubernetes.io/metadata.name";

/** Of every pod in the namespace, ours or not. */
export function drillNetworkPolicy(
  namespace: string,
  stores: readonly StoreEndpoint[] = [{ host: "amazonaws.com", port: 443 }],
): KubeObject {
  const rules = stores.map(({ host, port, networks }) => ({
    to: peersOf(host, networks),
    ports: [{ protocol: "TCP", port }],
  }));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "holdfast-drills", namespace, labels: ourLabels },
    spec: {
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      egress: [
        {
          to: [inNamespace("kube-system")],
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
        ...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values(),
      ],
    },
  };
}

function peersOf(host: string, networks: readonly string[] | undefined): readonly Peer[] {
  const version = isIP(host);
  if (version !== 0) return [{ ipBlock: { cidr: `${host}/${version === 4 ? 32 : 128}` } }];
  if (networks !== undefined) return networks.map((cidr) => ({ ipBlock: { cidr } }));
  const namespace = /^[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(host)?.[1];
  return namespace === undefined ? anyPublic : [inNamespace(namespace)];
}

function inNamespace(name: string): Peer {
  return { namespaceSelector: { matchLabels: { [namespaceName]: name } } };
}
